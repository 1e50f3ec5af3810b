// Package webhook carries approvals over HTTP, in both directions, to and from a system that shares a secret with the product:
// a ticket system, a chat bot, another product.
//
// A [Client] is a [policy.Approver]: it posts a request to the other system and reads the decisions that are in the answer. A
// [Handler] takes decisions that the other system posts when they are made. Either is enough, and both may be used together.
//
// # Messages
//
// A message is a JSON body with three headers:
//
//	Patchflow-Id         a name that the sender uses once: at most 128 printable ASCII characters without blanks
//	Patchflow-Timestamp  when it was sent, in seconds since 1970 UTC
//	Patchflow-Signature  "v1=" and, in lower-case hexadecimal, HMAC-SHA256 with the secret over kind, ".", timestamp, ".", ID, ".", body
//
// The kind is "request" for what the client posts, "answer" for what it is answered, and "decision" for what the handler takes;
// so that no message passes for one of another kind. [Sign] makes the headers.
//
// The client posts {"request": ...}, a [policy.Request]. The answer is 204 (or 202) without a body as long as nobody has
// decided, or 200 with {"decisions": [...]}, all decisions so far in their order, signed under the ID of the request. The
// handler takes {"tenant": ..., "request": ..., "decision": ...}, where request is the ID of one.
//
// The other system vouches for who has decided and for the groups that they belong to. It cannot say for whom the product takes
// an approval: that is judged by [policy.Settle].
//
// It was tested with servers and clients of net/http, with messages that were repeated, delayed, cut off and changed. It does
// not keep anything: IDs that the handler has seen are forgotten when the process ends, so that a message could be
// repeated within the window after a restart. It would be the same decision about the same digest.
package webhook
