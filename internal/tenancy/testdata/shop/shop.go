// Package shop has calls of every kind.
package shop

type Shop struct{ Layer int }

type Order struct{ For Tenant }

type Cart struct{ Orders []Order }

type Tenant string

type hidden struct{}

func Of(t Tenant) Shop                        { return Shop{} }
func All(yield func(Order) bool)              {}
func (s *Shop) Take(carts map[string][]*Cart) {}
func (s Shop) Close(hour int)                 {}
func (s Shop) open(t Tenant)                  {}
func (hidden) Open(t Tenant)                  {}
func Count(n int) Tenant                      { return "" }
