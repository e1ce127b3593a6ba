// Command crictl answers what kubeadm 1.20 and the base image's scripts ask of a container runtime.
//
// The real crictl is in no Debian package; this one has its verbs' names, and few of its options.
package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1alpha2"
)

type client struct {
	ctx     context.Context
	only    *regexp.Regexp
	tail    int
	runtime cri.RuntimeServiceClient
	images  cri.ImageServiceClient
}

func main() {
	socket, words, quiet := "unix:///run/containerd/containerd.sock", []string{}, false
	name, tail := "", 0
	for args := os.Args[1:]; len(args) > 0; args = args[1:] {
		if len(words) > 0 && words[0] == "exec" {
			words = append(words, args...)
			break
		}
		switch args[0] {
		case "--name", "--tail":
			if len(args) > 1 {
				if args[0] == "--name" {
					name = args[1]
				} else {
					tail, _ = strconv.Atoi(args[1])
				}
				args = args[1:]
			}
		case "-r", "--runtime-endpoint", "-i", "--image-endpoint":
			if len(args) > 1 {
				socket, args = args[1], args[1:]
			}
		case "-q", "--quiet", "-aq":
			quiet = true
		case "-a":
		case "-v", "--version":
			fmt.Println("crictl version v1.20.0")
			return
		default:
			words = append(words, args[0])
		}
	}
	if len(words) == 0 {
		fail(fmt.Errorf("no command given: info, version, pods, ps, stop, exec, logs, stopp, rmp, images, inspecti or pull"))
	}
	if !strings.Contains(socket, "://") {
		socket = "unix://" + socket
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	connection, err := grpc.DialContext(ctx, socket, grpc.WithInsecure())
	fail(err)
	only, err := regexp.Compile(name)
	fail(err)
	c := client{ctx, only, tail, cri.NewRuntimeServiceClient(connection), cri.NewImageServiceClient(connection)}
	fail(c.run(words[0], words[1:], quiet))
}

func (c client) run(verb string, args []string, quiet bool) error {
	switch verb {
	case "info":
		return c.info()
	case "version":
		answer, err := c.runtime.Version(c.ctx, &cri.VersionRequest{})
		if err == nil {
			fmt.Printf("RuntimeName:  %s\nRuntimeVersion:  %s\n", answer.RuntimeName, answer.RuntimeVersion)
		}
		return err
	case "pods":
		return c.pods(quiet)
	case "ps":
		return c.containers(quiet)
	case "stop":
		return each(args, func(id string) error {
			_, err := c.runtime.StopContainer(c.ctx, &cri.StopContainerRequest{ContainerId: id, Timeout: 30})
			return err
		})
	case "exec":
		return c.exec(args)
	case "logs":
		return each(args, c.logs)
	case "stopp":
		return each(args, func(id string) error {
			_, err := c.runtime.StopPodSandbox(c.ctx, &cri.StopPodSandboxRequest{PodSandboxId: id})
			return err
		})
	case "rmp":
		return each(args, func(id string) error {
			_, err := c.runtime.RemovePodSandbox(c.ctx, &cri.RemovePodSandboxRequest{PodSandboxId: id})
			return err
		})
	case "images":
		answer, err := c.images.ListImages(c.ctx, &cri.ListImagesRequest{})
		for _, image := range answer.GetImages() {
			fmt.Println(image.Id, strings.Join(append(image.RepoTags, image.RepoDigests...), " "))
		}
		return err
	case "inspecti":
		return each(args, c.image)
	case "pull":
		return each(args, func(name string) error {
			answer, err := c.images.PullImage(c.ctx, &cri.PullImageRequest{Image: &cri.ImageSpec{Image: name}})
			if err == nil {
				fmt.Println("Image is up to date for", answer.ImageRef)
			}
			return err
		})
	}
	return fmt.Errorf("no command %q here", verb)
}

func (c client) info() error {
	answer, err := c.runtime.Status(c.ctx, &cri.StatusRequest{})
	for _, condition := range answer.GetStatus().GetConditions() {
		fmt.Println(condition.Type, condition.Status, condition.Message)
	}
	return err
}

func (c client) pods(quiet bool) error {
	answer, err := c.runtime.ListPodSandbox(c.ctx, &cri.ListPodSandboxRequest{})
	for _, pod := range answer.GetItems() {
		if quiet {
			fmt.Println(pod.Id)
		} else {
			fmt.Println(pod.Id[:13], pod.State, pod.Metadata.Namespace, pod.Metadata.Name, pod.Metadata.Attempt)
		}
	}
	return err
}

func (c client) containers(quiet bool) error {
	running := &cri.ContainerStateValue{State: cri.ContainerState_CONTAINER_RUNNING}
	wanted := &cri.ListContainersRequest{Filter: &cri.ContainerFilter{State: running}}
	answer, err := c.runtime.ListContainers(c.ctx, wanted)
	for _, one := range answer.GetContainers() {
		if !c.only.MatchString(one.Metadata.Name) {
			continue
		}
		if quiet {
			fmt.Println(one.Id)
		} else {
			fmt.Println(one.Id[:13], one.State, one.Metadata.Name, one.Metadata.Attempt, one.Image.Image)
		}
	}
	return err
}

// exec runs a command in a container, and ends as that does.
func (c client) exec(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("exec wants a container and a command")
	}
	answer, err := c.runtime.ExecSync(c.ctx, &cri.ExecSyncRequest{ContainerId: args[0], Cmd: args[1:], Timeout: 100})
	if err != nil {
		return err
	}
	os.Stdout.Write(answer.Stdout)
	os.Stderr.Write(answer.Stderr)
	os.Exit(int(answer.ExitCode))
	return nil
}

func (c client) logs(id string) error {
	answer, err := c.runtime.ContainerStatus(c.ctx, &cri.ContainerStatusRequest{ContainerId: id})
	if err != nil {
		return err
	}
	text, err := os.ReadFile(answer.Status.LogPath)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if c.tail > 0 && len(lines) > c.tail {
		lines = lines[len(lines)-c.tail:]
	}
	fmt.Println(strings.Join(lines, "\n"))
	return err
}

func (c client) image(name string) error {
	answer, err := c.images.ImageStatus(c.ctx, &cri.ImageStatusRequest{Image: &cri.ImageSpec{Image: name}})
	if err == nil && answer.Image == nil {
		err = fmt.Errorf("no such image %q present", name)
	}
	if err == nil {
		fmt.Println(answer.Image.Id)
	}
	return err
}

func each(args []string, do func(string) error) error {
	for _, arg := range args {
		if err := do(arg); err != nil {
			return err
		}
	}
	return nil
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "crictl:", err)
		os.Exit(1)
	}
}
