package conform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// differ says where two JSON values are not the same; nothing if they are. Numbers are the same if they are the same
// IEEE 754 double, which is what RFC 8259 section 6 has everybody agree on. The order of members does not count.
func differ(sent, back []byte) string {
	var a, b any
	for raw, to := range map[*[]byte]*any{&sent: &a, &back: &b} {
		d := json.NewDecoder(bytes.NewReader(*raw))
		d.UseNumber()
		if err := d.Decode(to); err != nil {
			return fmt.Sprintf("%s is no JSON: %v", brief(*raw), err)
		}
	}
	return differAt("", a, b)
}

func differAt(path string, a, b any) string {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return came(path, a, b)
		}
		for name, v := range x {
			w, ok := y[name]
			if !ok {
				return fmt.Sprintf("%s.%s is missing", path, name)
			}
			if d := differAt(path+"."+name, v, w); d != "" {
				return d
			}
		}
		return ""
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return came(path, a, b)
		}
		for i := range x {
			if d := differAt(path+"["+strconv.Itoa(i)+"]", x[i], y[i]); d != "" {
				return d
			}
		}
		return ""
	case json.Number:
		if y, ok := b.(json.Number); ok && double(x) == double(y) {
			return ""
		}
	default:
		if a == b {
			return ""
		}
	}
	return came(path, a, b)
}

// double is a number as an IEEE 754 double. What is too large for one is infinite, and is so for everybody.
func double(n json.Number) float64 {
	f, _ := strconv.ParseFloat(string(n), 64)
	return f
}

func came(path string, a, b any) string {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	if path != "" {
		path = "at " + path + " "
	}
	return fmt.Sprintf("%s%s came back as %s", path, brief(x), brief(y))
}

// brief is the beginning of a text.
func brief(text []byte) string { return shorten(text, 120) }

func shorten(text []byte, most int) string {
	if len(text) <= most {
		return string(text)
	}
	return fmt.Sprintf("%s… (%d bytes)", bytes.ToValidUTF8(slices.Clone(text[:most]), nil), len(text))
}
