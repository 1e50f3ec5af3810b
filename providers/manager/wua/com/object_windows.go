package com

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"

	ole "github.com/go-ole/go-ole"
	"github.com/go-ole/go-ole/oleutil"

	"github.com/patchflow/patchflow/providers/manager/wua"
)

// A session is one call: a thread, what COM keeps of it, and the objects that it has got.
type session struct {
	name    string
	updates object
	got     []*ole.IDispatch
}

// An object is one of a session, and released with it.
type object struct {
	*ole.IDispatch
	of *session
}

// apart runs f on a thread of its own, and waits for it as long as ctx lasts.
func (a *Agent) apart(ctx context.Context, f func(*session) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("com: %w", err)
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		const alreadyInitialized = 1 // S_FALSE
		if err := ole.CoInitializeEx(0, ole.COINIT_MULTITHREADED); err != nil {
			var e *ole.OleError
			if !errors.As(err, &e) || e.Code() != alreadyInitialized {
				done <- failed("CoInitializeEx", err)
				return
			}
		}
		defer ole.CoUninitialize()
		s := &session{name: cmp.Or(a.Name, "patchflow")}
		defer s.release()
		done <- f(s)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("com: %w", ctx.Err())
	}
}

func (s *session) release() {
	for _, o := range s.got {
		o.Release()
	}
}

// own makes an object of what a call has returned.
func (s *session) own(d *ole.IDispatch) object {
	s.got = append(s.got, d)
	return object{d, s}
}

// create makes an object of a class.
func (s *session) create(class string) (object, error) {
	u, err := oleutil.CreateObject(class)
	if err != nil {
		return object{}, failed(class, err)
	}
	defer u.Release()
	d, err := u.QueryInterface(ole.IID_IDispatch)
	if err != nil {
		return object{}, failed(class, err)
	}
	return s.own(d), nil
}

// open returns the IUpdateSession of s.
func (s *session) open() (object, error) {
	if s.updates.IDispatch != nil {
		return s.updates, nil
	}
	o, err := s.create("Microsoft.Update.Session")
	if err != nil {
		return o, err
	}
	if err := o.put("ClientApplicationID", s.name); err != nil {
		return o, err
	}
	s.updates = o
	return o, nil
}

// invoke reads a property or calls a method, and takes over what it returns.
func (o object) invoke(flags int16, name string, args ...any) (any, error) {
	id, err := o.GetSingleIDOfName(name)
	if err != nil {
		return nil, failed(name, err)
	}
	v, err := o.Invoke(id, flags, args...)
	if err != nil {
		return nil, failed(name, err)
	}
	if v.VT == ole.VT_DISPATCH {
		if d := v.ToIDispatch(); d != nil {
			return o.of.own(d), nil
		}
		return nil, nil
	}
	defer func() { _ = v.Clear() }()
	if v.VT == ole.VT_DECIMAL {
		return decimal(v), nil
	}
	return v.Value(), nil
}

func (o object) get(name string, args ...any) (any, error) {
	return o.invoke(ole.DISPATCH_PROPERTYGET, name, args...)
}

func (o object) call(name string, args ...any) (any, error) {
	return o.invoke(ole.DISPATCH_METHOD|ole.DISPATCH_PROPERTYGET, name, args...)
}

func (o object) put(name string, value any) error {
	if _, err := oleutil.PutProperty(o.IDispatch, name, value); err != nil {
		return failed(name, err)
	}
	return nil
}

// child is call for what returns an object.
func (o object) child(name string, args ...any) (object, error) {
	v, err := o.call(name, args...)
	if err != nil {
		return object{}, err
	}
	c, ok := v.(object)
	if !ok {
		return object{}, fmt.Errorf("com: %s: %T is no object", name, v)
	}
	return c, nil
}

// list calls f with each item of a collection.
func (o object) list(name string, f func(item any) error) error {
	c, err := o.child(name)
	if err != nil {
		return err
	}
	n, err := c.integer("Count")
	for i := 0; err == nil && i < int(n); i++ {
		var item any
		if item, err = c.get("Item", i); err == nil {
			err = f(item)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (o object) items(name string) (all []object, err error) {
	err = o.list(name, func(item any) error {
		c, ok := item.(object)
		if !ok {
			return fmt.Errorf("%T is no object", item)
		}
		all = append(all, c)
		return nil
	})
	return all, err
}

func (o object) texts(name string) (all []string, err error) {
	err = o.list(name, func(item any) error {
		s, ok := item.(string)
		if !ok {
			return fmt.Errorf("%T is no text", item)
		}
		all = append(all, s)
		return nil
	})
	return all, err
}

func (o object) integer(name string) (int64, error) {
	v, err := o.get(name)
	if err != nil {
		return 0, err
	}
	switch n := v.(type) {
	case int32:
		return int64(n), nil
	case uint32:
		return int64(n), nil
	case int64:
		return n, nil
	case int16:
		return int64(n), nil
	}
	return 0, fmt.Errorf("com: %s: %T is no number", name, v)
}

// decimal returns the value of a DECIMAL, whose lower 64 bits are where a VARIANT has its value, without what stands after the
// point. Sizes are so.
func decimal(v *ole.VARIANT) any {
	if v.Val < 0 {
		return uint64(math.MaxInt64)
	}
	return uint64(v.Val)
}

// failed returns err as the code that it has, which classifies it, with what was asked. Of an exception the code is what the
// agent has thrown.
func failed(what string, err error) error {
	var e *ole.OleError
	if !errors.As(err, &e) {
		return fmt.Errorf("com: %s: %w", what, err)
	}
	code := wua.HRESULT(uint32(e.Code()))
	const exception = 0x80020009 // DISP_E_EXCEPTION
	var info ole.EXCEPINFO
	if code == exception && errors.As(e.SubError(), &info) && info.SCODE() != 0 {
		code = wua.HRESULT(info.SCODE())
	}
	return fmt.Errorf("com: %s: %w", what, code)
}
