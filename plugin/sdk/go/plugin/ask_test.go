package plugin_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"sealer/sdk/plugin"
)

// call gives work a context whose questions `send` answers.
func call(t *testing.T, send func([]byte) ([]byte, error), work func(plugin.Context)) {
	t.Helper()
	run := func(context plugin.Context, _ plugin.Phase) error {
		work(context)
		return nil
	}
	if _, err := plugin.Serve(plugged(run), "run", []byte(request), send); err != nil {
		t.Fatal(err)
	}
}

func TestQuestionsAndAnswersAreTheDocumentedJSON(t *testing.T) {
	type two struct {
		value any
		err   error
	}
	cases := []struct {
		name    string
		ask     func(plugin.Context) any
		request string
		reply   string
		result  any
	}{
		{
			"exec",
			func(c plugin.Context) any { value, err := c.Exec("10.0.0.1", "uname -r"); return two{value, err} },
			`{"command":"uname -r","host":"10.0.0.1","op":"exec"}`,
			`{"status":3,"stdout":"out","stderr":"err","later":1}`,
			two{plugin.ExecResult{Status: 3, Stdout: "out", Stderr: "err"}, nil},
		},
		{
			"copy",
			func(c plugin.Context) any { return two{nil, c.Copy("/local/file", "10.0.0.1", "/etc/x", 0o644)} },
			`{"dest":"/etc/x","host":"10.0.0.1","mode":420,"op":"copy","source":"/local/file"}`,
			`{}`,
			two{},
		},
		{
			"read",
			func(c plugin.Context) any { value, err := c.Read("10.0.0.1", "/etc/x"); return two{value, err} },
			`{"host":"10.0.0.1","op":"read","path":"/etc/x"}`,
			`{"content":"AP8="}`,
			two{[]byte{0, 255}, nil},
		},
		{
			"kube without a body",
			func(c plugin.Context) any { value, err := c.Kube("GET", "/api/v1/nodes", nil); return two{value, err} },
			`{"method":"GET","op":"kube","path":"/api/v1/nodes"}`,
			`{"status":200,"body":"{}"}`,
			two{plugin.KubeResult{Status: 200, Body: []byte("{}")}, nil},
		},
		{
			"kube with a body",
			func(c plugin.Context) any { value, err := c.Kube("POST", "/api", []byte("{}")); return two{value, err} },
			`{"body":"{}","content_type":"application/json","method":"POST","op":"kube","path":"/api"}`,
			`{"status":404,"body":"no"}`,
			two{plugin.KubeResult{Status: 404, Body: []byte("no")}, nil},
		},
		{
			"kube with a patch",
			func(c plugin.Context) any {
				value, err := c.Kube("PATCH", "/api", []byte("{}"))
				return two{value, err}
			},
			`{"body":"{}","content_type":"application/merge-patch+json","method":"PATCH","op":"kube","path":"/api"}`,
			`{"status":200,"body":""}`,
			two{plugin.KubeResult{Status: 200, Body: []byte{}}, nil},
		},
		{
			"log",
			func(c plugin.Context) any { c.Log("a line"); return nil },
			`{"line":"a line","op":"log"}`, `{}`, nil,
		},
		{
			"log about a host",
			func(c plugin.Context) any { c.LogFor("10.0.0.1", "a line"); return nil },
			`{"host":"10.0.0.1","line":"a line","op":"log"}`, `{}`, nil,
		},
		{
			"progress",
			func(c plugin.Context) any { c.Progress(3, 10, "hosts"); return nil },
			`{"done":3,"op":"progress","total":10,"unit":"hosts"}`, `{}`, nil,
		},
		{
			"progress without an end",
			func(c plugin.Context) any { c.Progress(0, 0, ""); return nil },
			`{"done":0,"op":"progress"}`, `{}`, nil,
		},
		{
			"cancelled",
			func(c plugin.Context) any { return c.Cancelled() },
			`{"op":"cancelled"}`, `{"cancelled":true}`, true,
		},
		{
			"cancelled, which an older sealer does not know",
			func(c plugin.Context) any { return c.Cancelled() },
			`{"op":"cancelled"}`, `{"error":"unknown variant"}`, false,
		},
		{
			"state",
			func(c plugin.Context) any { value, err := c.State(); return two{value, err} },
			`{"op":"get_state"}`, `{"value":"v"}`, two{"v", nil},
		},
		{
			"state that is not there",
			func(c plugin.Context) any { value, err := c.State(); return two{value, err} },
			`{"op":"get_state"}`, `{"value":null}`, two{"", nil},
		},
		{
			"set state",
			func(c plugin.Context) any { return two{nil, c.SetState("v")} },
			`{"op":"set_state","value":"v"}`, `{}`, two{},
		},
		{
			"forget state",
			func(c plugin.Context) any { return two{nil, c.SetState("")} },
			`{"op":"set_state","value":null}`, `{}`, two{},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			asked := 0
			send := func(request []byte) ([]byte, error) {
				asked++
				same(t, string(request), c.request)
				return []byte(c.reply), nil
			}
			call(t, send, func(context plugin.Context) { same(t, c.ask(context), c.result) })
			same(t, asked, 1)
		})
	}
}

func TestSealersRefusalIsTheError(t *testing.T) {
	send := func([]byte) ([]byte, error) { return []byte(`{"error":"no host 10.0.0.9"}`), nil }
	call(t, send, func(context plugin.Context) {
		_, err := context.Exec("10.0.0.9", "true")
		same(t, err, errors.New("no host 10.0.0.9"))
	})
}

func TestAnAnswerThatIsNoneIsAnError(t *testing.T) {
	send := func([]byte) ([]byte, error) { return []byte(`{"status":"three"}`), nil }
	call(t, send, func(context plugin.Context) {
		if _, err := context.Exec("10.0.0.1", "true"); err == nil {
			t.Error("no error")
		}
	})
}

func TestAPluginWhoseSealerIsGoneIsCancelled(t *testing.T) {
	send := func([]byte) ([]byte, error) { return nil, plugin.ErrGone }
	call(t, send, func(context plugin.Context) {
		same(t, context.Cancelled(), true)
		same(t, context.SetState("v"), plugin.ErrGone)
	})
}

func TestQuestionsOfManyGoroutinesAreAnsweredEachItsOwn(t *testing.T) {
	send := func(request []byte) ([]byte, error) { return []byte(`{"stdout":` + quoted(request) + `}`), nil }
	call(t, send, func(context plugin.Context) {
		var wait sync.WaitGroup
		for _, host := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
			wait.Add(1)
			go func(host string) {
				defer wait.Done()
				result, err := context.Exec(host, "true")
				same(t, err, nil)
				same(t, result.Stdout, host)
			}(host)
		}
		wait.Wait()
	})
}

// quoted returns the host that a request names, in its quotes.
func quoted(request []byte) string {
	const before = len(`{"command":"true","host":`)
	return string(request[before : before+3])
}

func TestTheEndOfACallWaitsForQuestionsUnderWayAndLetsNoMoreThrough(t *testing.T) {
	var left plugin.Context
	var answered atomic.Bool
	asked, mayAnswer := make(chan struct{}), make(chan struct{})
	send := func([]byte) ([]byte, error) {
		close(asked)
		<-mayAnswer
		answered.Store(true)
		return []byte(`{}`), nil
	}
	call(t, send, func(context plugin.Context) {
		left = context
		go context.Log("under way")
		<-asked
		close(mayAnswer)
	})
	same(t, answered.Load(), true)
	_, err := left.Exec("10.0.0.1", "true")
	same(t, plugin.IsOver(err), true)
	same(t, left.Cancelled(), true)
	same(t, plugin.Context{}.Cancelled(), true)
}
