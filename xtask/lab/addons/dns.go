package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/miekg/dns"
	core "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	listers "k8s.io/client-go/listers/core/v1"
)

const (
	zone = "cluster.local."
	ttl  = 5
)

type names struct {
	services  listers.ServiceLister
	endpoints listers.EndpointsLister
}

// serveDNS answers for Services, as the DNS specification of Kubernetes says: addresses of Services,
// headless ones too. It stands where CoreDNS does, and is asked in the same ways.
func serveDNS() error {
	kube, err := client()
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(kube, 10*time.Minute)
	known := names{factory.Core().V1().Services().Lister(), factory.Core().V1().Endpoints().Lister()}
	never := make(chan struct{})
	factory.Start(never)
	for kind, isSynced := range factory.WaitForCacheSync(never) {
		if !isSynced {
			return fmt.Errorf("%v cannot be listed", kind)
		}
	}
	for _, address := range []string{":8080", ":8181"} {
		go func(address string) {
			fail(http.ListenAndServe(address, http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
				fmt.Fprintln(answer, "OK")
			})))
		}(address)
	}
	dns.HandleFunc(".", known.answer)
	ended := make(chan error)
	for _, kind := range []string{"udp", "tcp"} {
		server := &dns.Server{Addr: ":53", Net: kind}
		go func() { ended <- server.ListenAndServe() }()
	}
	return <-ended
}

func (n names) answer(writer dns.ResponseWriter, question *dns.Msg) {
	answer := new(dns.Msg)
	answer.SetReply(question)
	answer.Authoritative = true
	if len(question.Question) == 1 {
		asked := question.Question[0]
		addresses, isThere := n.find(strings.ToLower(asked.Name))
		if !isThere {
			answer.Rcode = dns.RcodeNameError
		}
		for _, address := range addresses {
			if asked.Qtype == dns.TypeA {
				header := dns.RR_Header{Name: asked.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: ttl}
				answer.Answer = append(answer.Answer, &dns.A{Hdr: header, A: address})
			}
		}
	}
	if err := writer.WriteMsg(answer); err != nil {
		fmt.Fprintln(os.Stderr, "addons:", err)
	}
}

// find returns the addresses of NAME.NAMESPACE.svc.cluster.local., and of a pod's name before that.
func (n names) find(name string) ([]net.IP, bool) {
	if !strings.HasSuffix(name, ".svc."+zone) {
		return nil, false
	}
	words := strings.Split(strings.TrimSuffix(name, ".svc."+zone), ".")
	if len(words) < 2 || len(words) > 3 {
		return nil, false
	}
	pod, rest := "", words
	if len(words) == 3 {
		pod, rest = words[0], words[1:]
	}
	service, err := n.services.Services(rest[1]).Get(rest[0])
	if err != nil {
		return nil, false
	}
	if pod == "" && service.Spec.ClusterIP != core.ClusterIPNone {
		return []net.IP{net.ParseIP(service.Spec.ClusterIP).To4()}, true
	}
	endpoints, err := n.endpoints.Endpoints(rest[1]).Get(rest[0])
	if err != nil {
		return nil, false
	}
	var addresses []net.IP
	for _, subset := range endpoints.Subsets {
		for _, address := range subset.Addresses {
			if pod == "" || pod == address.Hostname {
				addresses = append(addresses, net.ParseIP(address.IP).To4())
			}
		}
	}
	return addresses, len(addresses) > 0 || pod == ""
}
