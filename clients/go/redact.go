package mxgateway

import (
	"regexp"
	"strings"
	"unicode"
)

const redacted = "[redacted]"

// How far a value in quotes reaches at most: without a bound, quotes that nobody closes would cost the length of the text
// each.
const longestValue = 4096

// How many blanks may stand before a keyword of a connection string.
const mostBlanks = 16

var (
	// Keys are mxgw_<id>_<secret>; whatever begins like one is taken for one.
	keyShaped   = regexp.MustCompile(`mxgw_[A-Za-z0-9_\-.~+/=]+`)
	bearer      = regexp.MustCompile(`(?i)(bearer\s+)[^\s"',;]+`)
	urlPassword = regexp.MustCompile(`://[^/\s:@]{0,256}:(\S{0,512})@`)
	// Messages show how such a URL is written, by the word itself.
	urlExample   = regexp.MustCompile(`^[\w.]{1,64}/\w`)
	soundsSecret = regexp.MustCompile(`(?i)nonce|secret|passw(?:or)?d|passphrase|pwd(?:[^a-z]|$)|token|credential|` +
		`api[\-_ ]?key|authorization|pepper|private[\-_ ]?key`)
	// A name and what stands between it and its value; in a URL's query that may be percent-encoded.
	namedValue  = regexp.MustCompile(`(?i)([\w.\-]+)(?:\\*["'])?\s*(?:[=:]|%3D|%3A)\s*`)
	quotedValue = regexp.MustCompile(`^(?:\\+"(?:[^\n\\]|\\+[^\n\\"])*(?:\\+")?` + // quoted inside a quoted text
		`|"(?:[^"\\]|\\.|"")*"` +
		`|'(?:[^'\\]|\\.|'')*'` +
		`|\{(?:[^}]|\}\})*\}` + // as ODBC quotes what holds a semicolon
		`)[^\s,;}\])]*`)
	plainValue = regexp.MustCompile(`(?i)^(?:bearer\s+)?\S+`)
	keyword    = regexp.MustCompile(`(?i)^(?:nonce|secret|passw(?:or)?d|pwd|token|credential|authorization|pepper)\s*=\s*`)
)

// Redact returns the text without the given secrets and without anything that looks like one: API keys, what follows
// Bearer, the value of any name that sounds secret, and passwords in URLs. No part of a secret is kept.
func Redact(text string, secrets ...string) string {
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, redacted)
		}
	}
	text = keyShaped.ReplaceAllString(text, redacted)
	if strings.Contains(text, "://") && strings.Contains(text, "@") {
		text = withoutURLPasswords(text)
	}
	if soundsSecret.MatchString(text) {
		text = withoutNamedValues(text)
	}
	return bearer.ReplaceAllString(text, "${1}"+redacted)
}

func withoutURLPasswords(text string) string {
	var kept strings.Builder
	from := 0
	for _, found := range urlPassword.FindAllStringSubmatchIndex(text, -1) {
		end, password := found[1], found[2:4]
		if text[password[0]:password[1]] == "password" && urlExample.MatchString(text[end:]) {
			continue
		}
		kept.WriteString(text[from:password[0]])
		kept.WriteString(redacted)
		from = password[1]
	}
	kept.WriteString(text[from:])
	return kept.String()
}

func withoutNamedValues(text string) string {
	var kept strings.Builder
	from := 0
	for at := 0; ; {
		name := namedValue.FindStringSubmatchIndex(text[at:])
		if name == nil {
			break
		}
		start, nameEnd, begin := at+name[2], at+name[3], at+name[1]
		at = begin
		if !soundsSecret.MatchString(text[start:nameEnd]) {
			continue
		}
		if end := max(begin+lengthOfValue(text[begin:]), endOfKeyword(text, start)); end > begin {
			kept.WriteString(text[from:begin])
			kept.WriteString(redacted)
			from, at = end, end
		}
	}
	kept.WriteString(text[from:])
	return kept.String()
}

func lengthOfValue(text string) int {
	quoted := quotedValue.FindString(text[:min(len(text), longestValue)])
	if quoted != "" {
		return len(quoted)
	}
	return len(plainValue.FindString(text))
}

// endOfKeyword says where the value ends of a name that stands where a connection string has its keywords: blanks belong
// to it there. Elsewhere it is 0: where the sentence around a value goes on nobody can tell.
func endOfKeyword(text string, start int) int {
	window := text[max(0, start-mostBlanks-1):start]
	before := strings.TrimRightFunc(window, unicode.IsSpace)
	isFirst := before == "" && len(window) <= mostBlanks
	if !isFirst && !strings.HasSuffix(before, ";") {
		return 0
	}
	name := keyword.FindString(text[start:])
	if name == "" {
		return 0
	}
	begin := start + len(name)
	rest := text[begin:min(len(text), begin+longestValue)]
	if end := strings.IndexAny(rest, ";\n"); end >= 0 {
		rest = rest[:end]
	}
	return begin + len(rest)
}

func redactText(text string) string { return Redact(text) }
