package rpc

import "strconv"

// Params are the parameters of a call by name. Make them with a composite literal or make before setting any.
type Params map[string]string

// Repeat sets a parameter that is a list, in the platform's way: name.1, name.2 and so on.
func (p Params) Repeat(name string, values []string) {
	for i, value := range values {
		p[name+"."+strconv.Itoa(i+1)] = value
	}
}

// copyTo adds the parameters that are not empty to others.
func (p Params) copyTo(to map[string]string) {
	for name, value := range p {
		if value != "" {
			to[name] = value
		}
	}
}
