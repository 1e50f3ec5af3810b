package runner

import "sync"

// A job is one provider call that is to be made.
type job struct {
	owner   *owner
	what    jobKind
	device  int32
	seq     uint32
	request string
}

type jobKind uint8

const (
	jobRun  jobKind = iota // begin the task, or what stands in for it
	jobPoll                // ask how it stands
	jobStop
	jobAsk // put a request to the approver
)

// queue holds the jobs that no worker has taken yet, first come, first served. It holds handles, not tasks, so that even
// a million of them are small.
type queue struct {
	mu     sync.Mutex
	more   *sync.Cond
	jobs   []job
	closed bool
}

func (q *queue) init() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.more = sync.NewCond(&q.mu)
	q.jobs, q.closed = nil, false
}

// put adds jobs, and says whether there is somebody left to do them.
func (q *queue) put(jobs []job) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.jobs = append(q.jobs, jobs...)
	q.more.Broadcast()
	return true
}

// take waits for a job; it says false when the queue is closed.
func (q *queue) take() (job, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.jobs) == 0 && !q.closed {
		q.more.Wait()
	}
	if q.closed {
		return job{}, false
	}
	j := q.jobs[0]
	if q.jobs = q.jobs[1:]; len(q.jobs) == 0 {
		q.jobs = nil // lets the array go
	}
	return j, true
}

// close sends the workers home, and returns how many jobs nobody will do.
func (q *queue) close() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	left := len(q.jobs)
	q.jobs, q.closed = nil, true
	q.more.Broadcast()
	return left
}
