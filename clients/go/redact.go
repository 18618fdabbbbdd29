package mxgateway

import (
	"regexp"
	"strings"
)

const redacted = "[redacted]"

var (
	keyShaped   = regexp.MustCompile(`mxgw_[A-Za-z0-9_\-.~+/=]+`)
	bearer      = regexp.MustCompile(`(?i)(bearer\s+)[^\s"',;]+`)
	urlPassword = regexp.MustCompile(`(://[^/\s:@]{0,256}:)\S{0,512}@`)
	namedSecret = regexp.MustCompile(
		`(?i)((?:^|[^\w.\-])[\w.\-]*(?:nonce|secret|passw(?:or)?d|passphrase|pwd|token|credential|api[\-_]?key|` +
			`authorization|pepper|private[\-_]?key)[\w.\-]*(?:\\*["'])?\s*(?:[=:]|%3[DA])\s*)` +
			`(?:(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')[^\s,;}\])]*|(?:bearer\s+)?\S+)`)
	soundsSecret = regexp.MustCompile(
		`(?i)nonce|secret|passw(?:or)?d|passphrase|pwd|token|credential|api[\-_ ]?key|authorization|pepper|private[\-_ ]?key`)
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
		text = urlPassword.ReplaceAllString(text, "${1}"+redacted+"@")
	}
	if soundsSecret.MatchString(text) {
		text = namedSecret.ReplaceAllString(text, "${1}"+redacted)
	}
	return bearer.ReplaceAllString(text, "${1}"+redacted)
}

func redactText(text string) string { return Redact(text) }
