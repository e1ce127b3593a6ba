package plugin_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sealer/sdk/client/k8s"
	"sealer/sdk/plugin"
)

// The module's folder, and those of the templates and of the header that it has a copy of.
const (
	module    = ".."
	templates = "../../../templates"
	header    = "../../../abi/include/sealer_plugin.h"
)

func TestThePagesClientAsksSealer(t *testing.T) {
	send := func(request []byte) ([]byte, error) {
		same(t, string(request), `{"method":"GET","op":"kube","path":"/api/v1/nodes"}`)
		return []byte(`{"status":200,"body":"{\"items\":[{\"metadata\":{\"name\":\"m0\"}},{\"metadata\":{\"name\":\"n0\"}}]}"}`), nil
	}
	call(t, send, func(plugin.Context) {
		client, err := k8s.Newk8sClient()
		same(t, err, nil)
		nodes, err := client.ListNodes()
		same(t, err, nil)
		same(t, []string{nodes.Items[0].Name, nodes.Items[1].Name}, []string{"m0", "n0"})
	})
	_, err := k8s.Newk8sClient()
	same(t, plugin.IsOver(err), true)
}

func TestThePagesClientTellsWhatTheAPIServerRefuses(t *testing.T) {
	send := func([]byte) ([]byte, error) { return []byte(`{"status":403,"body":"forbidden"}`), nil }
	call(t, send, func(plugin.Context) {
		client, _ := k8s.Newk8sClient()
		_, err := client.ListNodes()
		same(t, err, errors.New("the API server answers GET /api/v1/nodes with 403: forbidden"))
	})
}

// The promise: the page's file, with its imports changed and one line added.
func TestThePagesFileBuildsWithOneLineAdded(t *testing.T) {
	page, err := os.ReadFile("testdata/list_nodes.go")
	same(t, err, nil)
	changed := strings.ReplaceAll(string(page), "github.com/alibaba/sealer/", "sealer/sdk/")
	changed = strings.Replace(changed, "\"fmt\"", "// const char PluginType[] = \"LIST_NODE\";\n\t\"C\"\n\t\"fmt\"", 1)
	changed += "func main() { plugin.Export(&Plugin) }\n"
	folder := t.TempDir()
	sdk, err := filepath.Abs(module)
	same(t, err, nil)
	write(t, filepath.Join(folder, "list_nodes.go"), changed)
	write(t, filepath.Join(folder, "go.mod"),
		"module list_nodes\n\ngo 1.19\n\nrequire sealer/sdk v0.0.0\n\nreplace sealer/sdk => "+sdk+"\n")
	run(t, folder, "go", "build", "-buildmode=c-shared", "-o", "list_nodes.so", "list_nodes.go")
	same(t, kindOf(t, filepath.Join(folder, "list_nodes.so")), "LIST_NODE")
}

func TestTheTemplateBuildsWithACopyOfTheModule(t *testing.T) {
	folder := t.TempDir()
	files, err := os.ReadDir(filepath.Join(templates, "go"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the templates are not beside this copy of the module")
	}
	same(t, err, nil)
	fill := strings.NewReplacer("{{name}}", "my_greeter", "{{TYPE}}", "MY_GREETER")
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(templates, "go", file.Name()))
		same(t, err, nil)
		name := strings.Replace(file.Name(), "NAME", "my_greeter", 1)
		write(t, filepath.Join(folder, name), fill.Replace(string(text)))
	}
	copyModule(t, filepath.Join(folder, "sdk"))
	run(t, folder, "sh", "build.sh")
	same(t, kindOf(t, filepath.Join(folder, "my_greeter.so")), "MY_GREETER")
}

func TestTheHeaderIsThatOfTheABI(t *testing.T) {
	original, err := os.ReadFile(header)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the ABI's header is not beside this copy of the module")
	}
	same(t, err, nil)
	copied, err := os.ReadFile("sealer_plugin.h")
	same(t, err, nil)
	same(t, code(copied), code(original))
}

// code returns C without its comments.
func code(text []byte) string {
	text = regexp.MustCompile(`(?s)/\*.*?\*/`).ReplaceAll(text, nil)
	return strings.Join(strings.Fields(string(text)), " ")
}

// kindOf reads `PluginType` as sealer does, and that `Plugin` says its size and version.
func kindOf(t *testing.T, path string) string {
	t.Helper()
	file, err := elf.Open(path)
	same(t, err, nil)
	defer file.Close()
	symbols, err := file.DynamicSymbols()
	same(t, err, nil)
	found := map[string][]byte{}
	for _, symbol := range symbols {
		if symbol.Name != "PluginType" && symbol.Name != "Plugin" {
			continue
		}
		section := file.Sections[symbol.Section]
		data, err := section.Data()
		same(t, err, nil)
		at := symbol.Value - section.Addr
		found[symbol.Name] = data[at : at+symbol.Size]
	}
	if len(found["Plugin"]) != 48 || len(found["PluginType"]) == 0 {
		t.Fatalf("exported: %q", found)
	}
	same(t, binary.LittleEndian.Uint32(found["Plugin"]), uint32(48))
	same(t, binary.LittleEndian.Uint32(found["Plugin"][4:]), uint32(1))
	return string(bytes.TrimSuffix(found["PluginType"], []byte{0}))
}

// copyModule copies what an author needs of the module.
func copyModule(t *testing.T, to string) {
	t.Helper()
	err := filepath.WalkDir(module, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "testdata") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(module, path)
		write(t, filepath.Join(to, relative), string(text))
		return err
	})
	same(t, err, nil)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	same(t, os.MkdirAll(filepath.Dir(path), 0o755), nil)
	same(t, os.WriteFile(path, []byte(text), 0o644), nil)
}

func run(t *testing.T, folder, program string, arguments ...string) {
	t.Helper()
	command := exec.Command(program, arguments...)
	command.Dir = folder
	command.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "CGO_ENABLED=1")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, output)
	}
}
