package guest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"time"
)

// qmp is QEMU's machine protocol, one command at a time; events are skipped.
type qmp struct {
	mu   sync.Mutex
	conn net.Conn
	in   *bufio.Reader
}

func newQMP(conn net.Conn) (*qmp, error) {
	q := &qmp{conn: conn, in: bufio.NewReader(conn)}
	if _, err := q.in.ReadBytes('\n'); err != nil { // the greeting
		return nil, err
	}
	return q, q.command("qmp_capabilities", nil)
}

// command executes one command and waits for its return.
func (q *qmp) command(name string, args map[string]any) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	msg := map[string]any{"execute": name}
	if args != nil {
		msg["arguments"] = args
	}
	body, err := json.Marshal(msg)
	if err != nil {
		return err
	}
	q.conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := q.conn.Write(append(body, '\n')); err != nil {
		return fmt.Errorf("qmp %s: %w", name, err)
	}
	for {
		line, err := q.in.ReadBytes('\n')
		if err != nil {
			return fmt.Errorf("qmp %s: %w", name, err)
		}
		var answer struct {
			Return json.RawMessage `json:"return"`
			Error  *struct {
				Class, Desc string
			} `json:"error"`
		}
		if err := json.Unmarshal(line, &answer); err != nil {
			return fmt.Errorf("qmp %s: %w", name, err)
		}
		if answer.Error != nil {
			return fmt.Errorf("qmp %s: %s: %s", name, answer.Error.Class, answer.Error.Desc)
		}
		if answer.Return != nil {
			return nil
		}
	}
}

func (q *qmp) close() { q.conn.Close() }
