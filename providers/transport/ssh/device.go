package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/transport"
)

// A Device is reached over ssh, by one connection that all commands share. It is safe for concurrent use.
type Device struct {
	Config
	sessions chan struct{} // one token for each command that runs
	dialing  chan struct{} // one token for who dials

	mu     sync.Mutex
	now    *connection // nil if there is none
	closed bool
}

var _ transport.Transport = (*Device)(nil)

// New returns a device. Nothing is dialled before the first command. The error is that of a field and wraps
// [patch.ErrPermanent].
func New(c Config) (*Device, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	if _, _, err := pins(c.HostKeys); err != nil {
		return nil, err
	}
	return &Device{Config: c, sessions: make(chan struct{}, c.Sessions), dialing: make(chan struct{}, 1)}, nil
}

// Close closes the connection. Commands that run end in an error; later ones are refused. A second call does nothing.
func (d *Device) Close() error {
	d.mu.Lock()
	c := d.now
	d.now, d.closed = nil, true
	d.mu.Unlock()
	if c != nil {
		c.client.Close()
		<-c.dead
	}
	return nil
}

// DialContext connects to addr from the device, which is a jump host then. It has the form of Config.Dial.
func (d *Device) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	var last error
	for range 2 {
		c, reused, err := d.connect(ctx)
		if err != nil {
			return nil, fmt.Errorf("ssh: jump host %s: %w", d.Addr, err)
		}
		conn, err := c.client.DialContext(ctx, network, addr)
		if err == nil {
			return &jump{Conn: conn, release: sync.OnceFunc(c.release)}, nil
		}
		c.release()
		last = err
		if refusal := (*ssh.OpenChannelError)(nil); errors.As(err, &refusal) || ctx.Err() != nil || !reused {
			break
		}
		c.client.Close()
		<-c.dead
	}
	return nil, fmt.Errorf("ssh: jump host %s: %s: %w", d.Addr, addr, last)
}

// A jump is a connection through a device, which is in use until it is closed.
type jump struct {
	net.Conn
	release func()
}

// Close closes the connection.
func (j *jump) Close() error {
	defer j.release()
	return j.Conn.Close()
}

// A connection is used by several commands.
type connection struct {
	device *Device
	client *ssh.Client
	dead   chan struct{} // closed when the connection has ended

	users int // under the lock of the device
	idle  *time.Timer
}

// connect returns the connection to use, which is released afterwards; whether it was there before; and the error of the
// attempt to make one.
func (d *Device) connect(ctx context.Context) (c *connection, reused bool, err error) {
	if c, err := d.take(); c != nil || err != nil {
		return c, true, err
	}
	select {
	case d.dialing <- struct{}{}:
		defer func() { <-d.dialing }()
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	if c, err := d.take(); c != nil || err != nil {
		return c, true, err
	}
	client, err := d.dial(ctx)
	if err != nil {
		return nil, false, err
	}
	c = &connection{device: d, client: client, dead: make(chan struct{}), users: 1}
	d.mu.Lock()
	defer d.mu.Unlock()
	go c.watch()
	if d.closed {
		client.Close()
		return nil, false, errClosed()
	}
	d.now = c
	go c.keepAlive()
	return c, false, nil
}

func errClosed() error { return fmt.Errorf("%w: %w", net.ErrClosed, patch.ErrPermanent) }

// take returns the connection if there is one.
func (d *Device) take() (*connection, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, errClosed()
	}
	c := d.now
	if c == nil {
		return nil, nil
	}
	if c.idle != nil {
		c.idle.Stop()
		c.idle = nil
	}
	c.users++
	return c, nil
}

// release gives the connection back. It is closed after a while if nobody wants it.
func (c *connection) release() {
	d := c.device
	d.mu.Lock()
	defer d.mu.Unlock()
	c.users--
	if c.users > 0 {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(d.Idle, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if c.users == 0 && c.idle == timer {
			c.forget()
			c.client.Close()
		}
	})
	c.idle = timer
}

// forget makes the next command dial. The device is locked.
func (c *connection) forget() {
	if c.device.now == c {
		c.device.now = nil
	}
}

// watch waits for the end of the connection.
func (c *connection) watch() {
	_ = c.client.Wait()
	c.device.mu.Lock()
	defer c.device.mu.Unlock()
	c.forget()
	if c.idle != nil {
		c.idle.Stop()
	}
	close(c.dead)
}

// keepAlive asks for a sign of life every now and then, and breaks the connection off if there is none in time.
func (c *connection) keepAlive() {
	tick := time.NewTicker(c.device.KeepAlive)
	defer tick.Stop()
	for {
		select {
		case <-c.dead:
			return
		case <-tick.C:
		}
		late := time.AfterFunc(c.device.KeepAliveTimeout, func() { c.client.Close() })
		// Any answer will do; servers refuse what they do not know.
		_, _, err := c.client.SendRequest("keepalive@openssh.com", true, nil)
		late.Stop()
		if err != nil {
			c.client.Close()
			return
		}
	}
}
