package fleet

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/iotferry/iotferry/iot"
)

// text reads a text that is not empty.
func (w *walker) text(dst *string) reader {
	read := w.anyText(dst)
	return func() error {
		if err := read(); err != nil {
			return err
		}
		if *dst == "" {
			return w.fault("an empty text: only the ID of the legacy instance is one")
		}
		return nil
	}
}

// anyText reads a text that may be empty, because it is the ID of an instance.
func (w *walker) anyText(dst *string) reader {
	return func() error {
		token, err := w.token()
		if err != nil {
			return err
		}
		s, ok := token.(string)
		if !ok {
			return w.wrongType(token, "text")
		}
		*dst = s
		return nil
	}
}

// texts reads an array of at least one text.
func (w *walker) texts(dst *[]string) reader {
	return func() error {
		var s string
		read := w.text(&s)
		return w.list(func() error {
			err := read()
			*dst = append(*dst, s)
			return err
		})
	}
}

// list reads an array of at least one element.
func (w *walker) list(element reader) error {
	n := 0
	err := w.array(func() error {
		n++
		return element()
	})
	if err == nil && n == 0 {
		return w.fault("an empty array where at least one element is wanted")
	}
	return err
}

// secret reads a secret that is not empty.
func (w *walker) secret(dst *iot.Secret) reader {
	var s string
	read := w.text(&s)
	return func() error {
		err := read()
		*dst = iot.NewSecret(s)
		return err
	}
}

// checked reads a text that a rule of the platform holds for.
func (w *walker) checked(dst *string, check func(string) error) reader {
	read := w.text(dst)
	return func() error {
		if err := read(); err != nil {
			return err
		}
		if err := check(*dst); err != nil {
			return w.fault("%v", err)
		}
		return nil
	}
}

// word reads one of the given words.
func word[T ~string](w *walker, dst *T, words ...T) reader {
	var s string
	read := w.text(&s)
	return func() error {
		if err := read(); err != nil {
			return err
		}
		i := slices.Index(words, T(s))
		if i < 0 {
			return w.fault("unknown word %q: known here are %s", clip(s), join(words))
		}
		*dst = words[i]
		return nil
	}
}

// flag reads true or false.
func (w *walker) flag(dst *bool) reader {
	return func() error {
		token, err := w.token()
		if err != nil {
			return err
		}
		b, ok := token.(bool)
		if !ok {
			return w.wrongType(token, "true or false")
		}
		*dst = b
		return nil
	}
}

// number reads a whole number of lo to hi.
func (w *walker) number(dst *int, lo, hi int) reader {
	return func() error {
		s, err := w.digits()
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < lo || n > hi {
			return w.fault("%s is not a whole number of %s", clip(s), span(lo, hi))
		}
		*dst = n
		return nil
	}
}

func span(lo, hi int) string {
	if hi == math.MaxInt {
		return fmt.Sprintf("%d or more", lo)
	}
	return fmt.Sprintf("%d to %d", lo, hi)
}

// seed reads a whole number of 0 or more.
func (w *walker) seed(dst *uint64) reader {
	return func() error {
		s, err := w.digits()
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return w.fault("%s is not a whole number of 0 to 2^64-1", clip(s))
		}
		*dst = n
		return nil
	}
}

// digits reads a number as it is written. One with a point or an exponent is left to the caller,
// for whom it is no whole number: 1.0 is refused like 1.5.
func (w *walker) digits() (string, error) {
	token, err := w.token()
	if err != nil {
		return "", err
	}
	n, ok := token.(json.Number)
	if !ok {
		return "", w.wrongType(token, "a whole number")
	}
	return n.String(), nil
}

func join[T ~string](words []T) string {
	texts := make([]string, len(words))
	for i, word := range words {
		texts[i] = string(word)
	}
	return strings.Join(texts, ", ")
}
