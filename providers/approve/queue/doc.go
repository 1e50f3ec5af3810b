// Package queue is a [policy.Approver] for people: requests wait in a store until a console, an API or a chat bot brings
// their answers.
//
// The store is a [rollout.Journal], so that whatever keeps rollouts can keep approvals too: providers/journal/sqlite in a
// file, providers/journal/memjournal in memory. It must be one of the queue's own: a runner would take a request for a
// rollout. Every request is a record under its tenant and ID; asking and each answer are entries of it. The journal's fence
// makes answering a compare-and-set: of two answers that race, the second is judged anew by what the first has made of the
// request, and refused if that was settled.
//
// Whoever calls [Queue.Answer] has made sure of who the person is, which groups they belong to, and that they may act for the
// tenant; or Config.Keys asks for their signature. The queue then sees to the rest: see [policy.Settle].
//
// It was tested with memjournal. It does not tell anybody that a request has come in; whoever shows requests asks for them
// with [Queue.Open].
package queue
