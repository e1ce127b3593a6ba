package plugin

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// ExecResult is what a command on a host gave.
type ExecResult struct {
	// Status is the exit status; 128 + n for signal n.
	Status int `json:"status"`
	// Stdout is standard output; what is not UTF-8 in it is replaced.
	Stdout string `json:"stdout"`
	// Stderr is standard error, likewise.
	Stderr string `json:"stderr"`
}

// KubeResult is the API server's answer.
type KubeResult struct {
	// Status is the HTTP status: 200, 404.
	Status int
	// Body is the answer's text, mostly JSON.
	Body []byte
}

// Exec runs a shell command on a host as root and returns when it has ended. A command that fails is
// no error: look at its status. It fails when the host is none of the cluster's or out of reach.
func (c Context) Exec(host, command string) (ExecResult, error) {
	var result ExecResult
	err := c.ask(question{"op": "exec", "host": host, "command": command}, &result)
	return result, err
}

// Copy copies a file of the machine where the plugin runs to a host, whole or not at all, with the
// permission bits mode.
func (c Context) Copy(source, host, dest string, mode uint32) error {
	return c.ask(question{"op": "copy", "source": source, "host": host, "dest": dest, "mode": mode}, nil)
}

// Read returns a file of a host.
func (c Context) Read(host, path string) ([]byte, error) {
	var result struct {
		Content []byte `json:"content"`
	}
	err := c.ask(question{"op": "read", "host": host, "path": path}, &result)
	return result.Content, err
}

// Kube sends a request to the cluster's API server; path begins with `/api`, body may be nil. A body
// is JSON, and that of a PATCH a merge patch. An answer like 404 is no error: look at its status. It
// fails when there is no API server yet, or it is out of reach.
func (c Context) Kube(method, path string, body []byte) (KubeResult, error) {
	contentType := ""
	switch {
	case len(body) > 0 && method == "PATCH":
		contentType = "application/merge-patch+json"
	case len(body) > 0:
		contentType = "application/json"
	}
	return c.KubeTyped(method, path, contentType, body)
}

// KubeTyped is Kube for a body of another media type.
func (c Context) KubeTyped(method, path, contentType string, body []byte) (KubeResult, error) {
	asked := question{"op": "kube", "method": method, "path": path}
	if len(body) > 0 {
		asked["body"] = string(body)
	}
	if contentType != "" {
		asked["content_type"] = contentType
	}
	var result struct {
		Status int    `json:"status"`
		Body   string `json:"body"`
	}
	err := c.ask(asked, &result)
	return KubeResult{result.Status, []byte(result.Body)}, err
}

// Log shows a line to the operator.
func (c Context) Log(line string) {
	c.tell(question{"op": "log", "line": line})
}

// LogFor shows a line about a host to the operator.
func (c Context) LogFor(host, line string) {
	c.tell(question{"op": "log", "line": line, "host": host})
}

// Progress shows how much is done, of total if that is known and not 0, in a unit of any name:
// `hosts`, `bytes`.
func (c Context) Progress(done, total uint64, unit string) {
	asked := question{"op": "progress", "done": done}
	if total > 0 {
		asked["total"] = total
	}
	if unit != "" {
		asked["unit"] = unit
	}
	c.tell(asked)
}

// Cancelled says whether the operator wants to stop: a plugin that works for long asks now and then,
// and returns an error. A call that is over is cancelled.
func (c Context) Cancelled() bool {
	var result struct {
		Cancelled bool `json:"cancelled"`
	}
	err := c.ask(question{"op": "cancelled"}, &result)
	return result.Cancelled || errors.Is(err, errOver) || errors.Is(err, errGone)
}

// State returns what SetState kept for this plugin and cluster, also in an earlier run, or nothing.
func (c Context) State() (string, error) {
	var result struct {
		Value string `json:"value"`
	}
	err := c.ask(question{"op": "get_state"}, &result)
	return result.Value, err
}

// SetState keeps a small value for later calls. An empty one forgets it.
func (c Context) SetState(value string) error {
	asked := question{"op": "set_state", "value": nil}
	if value != "" {
		asked["value"] = value
	}
	return c.ask(asked, nil)
}

type question map[string]any

var (
	errOver = errors.New("the plugin's call is over: there is no sealer to ask")
	errGone = errors.New("sealer is gone")
)

// tell is for what a plugin can do nothing about when it fails.
func (c Context) tell(asked question) {
	_ = c.ask(asked, nil)
}

func (c Context) ask(asked question, result any) error {
	request, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	reply, err := c.session.ask(request)
	if err != nil {
		return err
	}
	var refused struct {
		Error *string `json:"error"`
	}
	if err := json.Unmarshal(reply, &refused); err != nil {
		return fmt.Errorf("sealer's answer to `%s`: %w", asked["op"], err)
	}
	if refused.Error != nil {
		return errors.New(*refused.Error)
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(reply, result); err != nil {
		return fmt.Errorf("sealer's answer to `%s`: %w", asked["op"], err)
	}
	return nil
}

// asker passes a request on to sealer and returns its answer.
type asker func(request []byte) ([]byte, error)

// session is sealer for the length of one call. What it was given with is gone when the call is over,
// so end waits for questions under way and none is asked afterwards.
type session struct {
	lock sync.RWMutex
	send asker
}

func (s *session) ask(request []byte) ([]byte, error) {
	if s == nil {
		return nil, errOver
	}
	s.lock.RLock()
	defer s.lock.RUnlock()
	if s.send == nil {
		return nil, errOver
	}
	return s.send(request)
}

func (s *session) end() {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.send = nil
}
