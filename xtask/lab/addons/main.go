// Command addons is what the lab's cluster has in place of images that no package gives: a network
// between pods, cluster DNS, a web server to ask, and one who asks.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

func main() {
	verbs := map[string]func() error{"network": network, "dns": serveDNS, "web": web, "ask": ask}
	if len(os.Args) < 2 || verbs[os.Args[1]] == nil {
		fail(fmt.Errorf("no verb given: network, dns, web or ask"))
	}
	fail(verbs[os.Args[1]]())
}

// web answers every request with the name of the pod and where the request came from.
func web() error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	http.HandleFunc("/", func(answer http.ResponseWriter, request *http.Request) {
		fmt.Fprintf(answer, "%s %s\n", name, request.RemoteAddr)
	})
	return http.ListenAndServe(":8080", nil)
}

// ask asks for a page so many times, on a new connection each.
func ask() error {
	times, err := strconv.Atoi(os.Args[3])
	if err != nil {
		return err
	}
	asker := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for ; times > 0; times-- {
		answer, err := asker.Get(os.Args[2])
		if err != nil {
			return err
		}
		if _, err := io.Copy(os.Stdout, answer.Body); err != nil {
			return err
		}
		answer.Body.Close()
	}
	return nil
}

func client() (*kubernetes.Clientset, error) {
	config, err := rest.InClusterConfig()
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "addons:", err)
		os.Exit(1)
	}
}
