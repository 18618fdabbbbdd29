package main

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"mxaccess-gateway.example/clients/go/internal/clitext"
)

// option is one of conformance/cli.json.
type option struct {
	name, kind, help   string
	required, multiple bool
	fallback           string
	choices            []string
	least, most, above *float64
}

// command is one of conformance/cli.json.
type command struct {
	name, section, help string
	connects            bool
	options             []option
}

func limit(number float64) *float64 { return &number }

func find(name string) *command {
	for index := range commands {
		if commands[index].name == name {
			return &commands[index]
		}
	}
	return nil
}

// all are the command's options and those of every command that connects; of the others --json alone.
func (c *command) all() []option {
	if c.connects {
		return append(slices.Clone(c.options), commonOptions...)
	}
	return append(slices.Clone(c.options), option{name: "json", kind: "flag", help: "One JSON document on stdout."})
}

// values are the options that were given, checked, and the defaults of the others.
type values struct {
	texts map[string][]string
	given map[string]bool
}

func (v values) text(name string) string {
	if found := v.texts[name]; len(found) > 0 {
		return found[0]
	}
	return ""
}

func (v values) flag(name string) bool { return v.given[name] }

func (v values) number(name string) float64 {
	found, _ := strconv.ParseFloat(v.text(name), 64)
	return found
}

func (v values) int(name string) int64 {
	found, _ := strconv.ParseInt(v.text(name), 10, 64)
	return found
}

func (v values) handle(name string) int32 { return int32(v.int(name)) }

func (v values) moment(name string) *timestamppb.Timestamp {
	found, _ := clitext.Time(v.text(name))
	return found
}

// parse reads the options of a command; one dash and two are the same.
func parse(c *command, arguments []string) (values, error) {
	all := c.all()
	v := values{texts: map[string][]string{}, given: map[string]bool{}}
	for index := 0; index < len(arguments); index++ {
		word := arguments[index]
		if !strings.HasPrefix(word, "-") || word == "-" || word == "--" {
			return v, usage("%s takes no argument %q", c.name, word)
		}
		name, value, joined := strings.Cut(strings.TrimLeft(word, "-"), "=")
		if c.name != "" && name == "value-type" {
			name = "type"
		}
		position := slices.IndexFunc(all, func(each option) bool { return each.name == name })
		if position < 0 {
			return v, usage("%s has no option --%s; mxgw-go %s --help lists them", c.name, name, c.name)
		}
		o := all[position]
		if v.given[name] && !o.multiple {
			return v, usage("--%s is given twice", name)
		}
		v.given[name] = true
		if o.kind == "flag" {
			if joined {
				return v, usage("--%s takes no value", name)
			}
			continue
		}
		if !joined {
			if index++; index == len(arguments) {
				return v, usage("--%s needs a value", name)
			}
			value = arguments[index]
		}
		if err := o.check(value); err != nil {
			return v, err
		}
		v.texts[name] = append(v.texts[name], value)
	}
	for _, o := range all {
		if o.required && !v.given[o.name] {
			return v, usage("%s needs --%s: %s", c.name, o.name, o.help)
		}
		if !v.given[o.name] && o.fallback != "" {
			v.texts[o.name] = []string{o.fallback}
		}
	}
	return v, nil
}

// check refuses a value that is none; the text names the option and the cause is kept.
func (o option) check(value string) error {
	var number float64
	switch o.kind {
	case "int":
		found, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return usage("--%s: %q is no whole number: %w", o.name, value, err)
		}
		number = float64(found)
		if strings.HasSuffix(o.name, "-handle") || strings.HasSuffix(o.name, "user-id") {
			if number < math.MinInt32 || number > math.MaxInt32 {
				return usage("--%s: %s is beyond 32 bits", o.name, value)
			}
		}
	case "float":
		found, err := strconv.ParseFloat(value, 64)
		if err != nil || math.IsNaN(found) || math.IsInf(found, 0) {
			return usage("--%s: %q is no number", o.name, value)
		}
		number = found
	case "RFC3339":
		if _, err := clitext.Time(value); err != nil {
			return usage("--%s: %w", o.name, err)
		}
		return nil
	case "choice":
		if !slices.Contains(o.choices, value) {
			return usage("--%s: %q is none of %s", o.name, value, strings.Join(o.choices, ", "))
		}
		return nil
	default:
		return nil
	}
	switch {
	case o.least != nil && number < *o.least:
		return usage("--%s: %s is below %v", o.name, value, *o.least)
	case o.most != nil && number > *o.most:
		return usage("--%s: %s is above %v", o.name, value, *o.most)
	case o.above != nil && number <= *o.above:
		return usage("--%s: %s has to be above %v", o.name, value, *o.above)
	}
	return nil
}
