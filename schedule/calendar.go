package schedule

import "time"

// Calendar finds the next times of expressions that are given as text, and remembers what it has parsed.
type Calendar struct {
	load  func(zone string) (*time.Location, error)
	crons map[string]*Cron // nil: it is none
	zones map[string]*time.Location
}

// remembered is how many expressions, and how many zones, a calendar remembers. There are about 600 zones.
const remembered = 4096

// NewCalendar makes one. load knows the zones; time.LoadLocation does.
func NewCalendar(load func(zone string) (*time.Location, error)) *Calendar {
	return &Calendar{load: load, crons: map[string]*Cron{}, zones: map[string]*time.Location{}}
}

// Next is [Cron.Next] of an expression in the zone of a name. It is 0 if there is none, or the expression or the zone is
// not known (any more).
func (c *Calendar) Next(cron, zone []byte, from, after int64) int64 {
	rule, known := c.crons[string(cron)]
	if !known {
		if parsed, err := ParseCron(string(cron)); err == nil {
			rule = &parsed
		}
		if len(c.crons) >= remembered {
			clear(c.crons)
		}
		c.crons[string(cron)] = rule
	}
	in := c.zones[string(zone)]
	if in == nil {
		loaded, err := c.load(string(zone))
		if err != nil {
			return 0 // and not remembered: its data may come
		}
		if len(c.zones) >= remembered {
			clear(c.zones)
		}
		in = loaded
		c.zones[string(zone)] = in
	}
	if rule == nil {
		return 0
	}
	at, ok := rule.Next(in, from, after)
	if !ok {
		return 0
	}
	return at
}
