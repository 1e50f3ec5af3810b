package ssh

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/patchflow/patchflow/providers/transport/internal/posix"
)

// stop ends the command: a signal by way of its own session, then TERM to its process group by another one, then KILL. It
// returns nil if the command was seen to end and its group was killed.
func (s *session) stop() error {
	if !s.within(s.started) {
		return errors.New("it was not seen to begin")
	}
	_ = s.signal("TERM")
	s.within(s.ended)
	// What the command has started may not have ended with it.
	killed := s.signal("KILL")
	switch {
	case !s.within(s.ended):
		if killed == nil {
			killed = errors.New("it does not end")
		}
		return killed
	case s.err != nil:
		return s.err
	}
	return nil
}

// within waits for c for a while.
func (s *session) within(c <-chan struct{}) bool {
	wait := time.NewTimer(s.device.Grace)
	defer wait.Stop()
	select {
	case <-c:
		return true
	case <-wait.C:
		return false
	}
}

// signal sends a signal and waits until it was sent. A process that is gone is no error that can be told from others.
func (s *session) signal(name string) error {
	_, _ = s.channel.SendRequest("signal", false, ssh.Marshal(struct{ Name string }{name}))
	line := posix.KillLine(s.mark.Letter == 'g', s.mark.PID, name, s.sudo)
	sent := make(chan struct{})
	var err error
	go func() {
		defer close(sent)
		var killer *ssh.Session
		if killer, err = s.conn.client.NewSession(); err != nil {
			return
		}
		defer killer.Close()
		if err = killer.Run(line); err != nil {
			err = fmt.Errorf("kill: %w", err)
		}
	}()
	if !s.within(sent) {
		return fmt.Errorf("kill -s %s: no answer", name)
	}
	return err
}
