// Package celpolicy evaluates conditions about patches and devices that are written in the Common Expression Language
// (https://cel.dev), for vendors whose policies are in that language already. The conditions of package predicate are checked
// more strictly, tell more in their errors, and take a tenth of the time.
//
// An expression sees the variables patch ([Patch]), device ([Device]) and now, a timestamp, and the constants low, moderate,
// important and critical, which are numbers that patch.severity is compared with:
//
//	patch.severity >= important && now - patch.released >= duration("168h") && (patch.exploited || device.labels["site"] == "oslo")
//
// A field that does not exist and a wrong type are errors when the expression is compiled. A fact that is not known is unknown
// to CEL too, whose && and || are those of Kleene's logic, and so is has() of it. What costs more than the limit ends with an error.
//
// It is a module of its own, so that nobody else gets CEL too.
package celpolicy

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
	"cel.dev/cel-go/interpreter"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

// ErrCost is wrapped by the error of an evaluation that costs more than it may.
var ErrCost = errors.New("the expression costs too much")

// Config says what an expression may cost. The zero value is usable.
type Config struct {
	// CostLimit bounds one evaluation, in CEL's units: about one for each operation, more for long texts and lists. 0 means
	// 10,000, which takes less than some milliseconds.
	CostLimit uint64

	// MaxText bounds the length of an expression, in characters. 0 means 16,384.
	MaxText int
}

// maxDepth bounds how deep expressions are nested.
const maxDepth = 64

// A Predicate is a condition in CEL, ready to be evaluated. It is immutable and safe for concurrent use.
type Predicate struct {
	text    string
	program cel.Program
	uses    uses
}

// Compile checks text, which must give a truth, and makes it ready. An error has the line and column of each fault.
func Compile(text string, cfg Config) (*Predicate, error) {
	if cfg.CostLimit == 0 {
		cfg.CostLimit = 10_000
	}
	if cfg.MaxText == 0 {
		cfg.MaxText = 16_384
	}
	env, err := cel.NewEnv(
		ext.NativeTypes(ext.ParseStructTags(true), reflect.TypeFor[Patch](), reflect.TypeFor[Device]()),
		cel.Variable("patch", cel.ObjectType("celpolicy.Patch")),
		cel.Variable("device", cel.ObjectType("celpolicy.Device")),
		cel.Variable("now", cel.TimestampType),
		cel.Constant("low", cel.IntType, types.Int(patch.SeverityLow)),
		cel.Constant("moderate", cel.IntType, types.Int(patch.SeverityModerate)),
		cel.Constant("important", cel.IntType, types.Int(patch.SeverityImportant)),
		cel.Constant("critical", cel.IntType, types.Int(patch.SeverityCritical)),
		cel.ParserExpressionSizeLimit(cfg.MaxText), cel.ParserRecursionLimit(maxDepth),
	)
	if err != nil {
		return nil, fmt.Errorf("celpolicy: %w", err)
	}
	ast, issues := env.Compile(text)
	if err := issues.Err(); err != nil {
		return nil, fmt.Errorf("celpolicy: %w", err)
	}
	if ast.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("celpolicy: the expression gives a value of type %s, not a truth", ast.OutputType())
	}
	program, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize, cel.OptPartialEval), cel.CostLimit(cfg.CostLimit))
	if err != nil {
		return nil, fmt.Errorf("celpolicy: %w", err)
	}
	return &Predicate{text: text, program: program, uses: usesOf(ast.NativeRep())}, nil
}

// String returns the text that p was compiled from.
func (p *Predicate) String() string { return p.text }

// Eval says whether p holds for a patch and a device at an instant: yes, no, or unknown if that depends on something that
// is not known. With an error, which wraps [ErrCost] if the limit was reached, the answer is unknown too. A nil patch or device
// and a zero time are unknown.
func (p *Predicate) Eval(x *patch.Patch, d *inventory.Device, now time.Time) (patch.Tri, error) {
	known, unknown := patchVars(x, now)
	vars := map[string]any{"patch": known, "device": newDevice(d), "now": now}
	partial, err := cel.PartialVars(vars, append(unknown, p.uses.unknown(d)...)...)
	if err != nil {
		return patch.Unknown, fmt.Errorf("celpolicy: %w", err)
	}
	return p.eval(partial)
}

func (p *Predicate) eval(vars cel.PartialActivation) (patch.Tri, error) {
	out, _, err := p.program.Eval(vars)
	if err != nil {
		var ended interpreter.EvalCancelledError
		if errors.As(err, &ended) && ended.Cause == interpreter.CostLimitExceeded {
			return patch.Unknown, fmt.Errorf("celpolicy: %w", ErrCost)
		}
		return patch.Unknown, fmt.Errorf("celpolicy: %w", err)
	}
	if b, ok := out.(types.Bool); ok {
		return patch.TriOf(bool(b)), nil
	}
	return patch.Unknown, nil
}

// A Memo decides one patch for many devices at one instant, once for all devices that look alike to its expression. It is
// not safe for concurrent use.
type Memo struct {
	p       *Predicate
	vars    Patch
	unknown []*cel.AttributePatternType
	now     time.Time
	answers map[string]answer
	buf     []byte
}

type answer struct {
	holds patch.Tri
	err   error
}

// For returns an empty memo for a patch at an instant.
func (p *Predicate) For(x *patch.Patch, now time.Time) *Memo {
	m := &Memo{p: p, now: now, answers: make(map[string]answer)}
	m.vars, m.unknown = patchVars(x, now)
	return m
}

// Eval says what [Predicate.Eval] says of a device.
func (m *Memo) Eval(d *inventory.Device) (patch.Tri, error) {
	m.buf = m.p.uses.appendSignature(m.buf[:0], d)
	if a, ok := m.answers[string(m.buf)]; ok {
		return a.holds, a.err
	}
	var a answer
	vars, err := cel.PartialVars(
		map[string]any{"patch": m.vars, "device": newDevice(d), "now": m.now}, slices.Concat(m.unknown, m.p.uses.unknown(d))...)
	if a.err = err; err == nil {
		a.holds, a.err = m.p.eval(vars)
	}
	m.answers[string(m.buf)] = a
	return a.holds, a.err
}

// Len returns how many devices were really looked at: as many as look different to the expression.
func (m *Memo) Len() int { return len(m.answers) }
