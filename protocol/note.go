package protocol

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

// A nonce is the producer's own, and comes back as it was sent: it is JSON, so its first byte is no control character.
// What else is to be remembered until an answer comes travels the same way, behind a first byte that says so: the
// dispatcher takes a nonce for bytes.
const (
	// Over WebSocket: the producer's own nonce follows, if there is one. The message said something that the original
	// does not know, so it is answered in the form of today, with its errors apart from results.
	markNew = 1
	// Over HTTP: a note follows.
	markNote = 2
	// Of one run of a request for many, over either: which gathering it is of, and which of its runs it is, follow.
	markBulk = 3
)

// cutMark takes the mark off a WebSocket's nonce.
func cutMark(nonce []byte) (own []byte, isNew bool) {
	if len(nonce) == 0 || nonce[0] != markNew {
		return nonce, false
	}
	if len(nonce) == 1 {
		return nil, true
	}
	return nonce[1:], true
}

// note is what an HTTP request is to be answered with beyond its answer.
type note struct {
	async, waited bool  // preferences that are met
	wait          int64 // seconds
	any           bool  // If-None-Match: *
	tags          []byte
}

// maxTags is how many entity tags of one request are looked at. What has more gets the whole document.
const maxTags = 8

// tagLen is the length of an entity tag, in bytes.
const tagLen = 8

func (n *note) empty() bool { return !n.async && !n.waited && !n.any && len(n.tags) == 0 }

// append encodes the note as a nonce.
func (n *note) append(dst []byte) []byte {
	flags := byte(0)
	for i, set := range [...]bool{n.async, n.waited, n.any} {
		if set {
			flags |= 1 << i
		}
	}
	return append(binary.AppendUvarint(append(dst, markNote, flags), uint64(n.wait)), n.tags...)
}

// noteOf decodes it. What is none is an empty one.
func noteOf(nonce []byte) (n note) {
	if len(nonce) < 3 || nonce[0] != markNote {
		return note{}
	}
	flags := nonce[1]
	wait, size := binary.Uvarint(nonce[2:])
	if size <= 0 {
		return note{}
	}
	return note{async: flags&1 != 0, waited: flags&2 != 0, any: flags&4 != 0, wait: int64(wait), tags: nonce[2+size:]}
}

// applied is the field Preference-Applied (RFC 7240 3), with its end; empty if nothing was preferred. done: there is a
// result, so it was not asynchronous.
func (n *note) applied(done bool) string {
	list := ""
	if n.async && !done {
		list = "respond-async"
	}
	if n.waited {
		if list != "" {
			list += ", "
		}
		list += "wait=" + strconv.FormatInt(n.wait, 10)
	}
	if list == "" {
		return ""
	}
	return "Preference-Applied: " + list + "\r\n"
}

// expect notes which entity tags a field If-None-Match names (RFC 9110 13.1.2), of those that may be ours.
func (n *note) expect(field []byte) {
	for len(field) > 0 && len(n.tags) < maxTags*tagLen {
		var one []byte
		one, field = cutUnquoted(field, ',')
		if one = trim(one); string(one) == "*" {
			n.any = true
		}
		if len(one) > 2 && one[0] == 'W' && one[1] == '/' {
			one = one[2:] // the comparison is the weak one
		}
		if len(one) != 2+2*tagLen || one[0] != '"' || one[len(one)-1] != '"' {
			continue
		}
		if tags, err := hex.AppendDecode(n.tags, one[1:len(one)-1]); err == nil {
			n.tags = tags
		}
	}
}

// knows tells whether whoever asked has a document already.
func (n *note) knows(tag [tagLen]byte) bool {
	for rest := n.tags; len(rest) >= tagLen; rest = rest[tagLen:] {
		if [tagLen]byte(rest) == tag {
			return true
		}
	}
	return n.any
}

// tagOf is the entity tag of a document: a strong one, the beginning of its hash.
func tagOf(doc []byte) [tagLen]byte {
	sum := sha256.Sum256(doc)
	return [tagLen]byte(sum[:tagLen])
}
