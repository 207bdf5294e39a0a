package store

// progressBytes is after how many bytes more the progress of opening is told again.
const progressBytes = 1 << 20

// progress is how far the journal has been read, which is done twice: to judge it, and to make tables of it.
type progress struct {
	tell             func(done, total int64) // may be nil
	done, said, full int64
}

func (p *progress) add(bytes int) {
	p.done += int64(bytes)
	if p.tell == nil || p.done-p.said < progressBytes && p.done != p.full {
		return
	}
	p.said = p.done
	p.tell(p.done, p.full)
}
