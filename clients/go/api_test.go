package mxgateway_test

import (
	"flag"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestPublicAPI holds what the package offers: go test -run TestPublicAPI -update . after a change that is meant.
func TestPublicAPI(t *testing.T) {
	const golden = "testdata/api.txt"
	printed, err := exec.Command("go", "doc", "-all", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	// Signatures alone: words may be mended at any time.
	lines := regexp.MustCompile(`(?m)^(    .*|\s*//.*|)\n`).ReplaceAllString(string(printed), "")
	lines = regexp.MustCompile(`[ \t]+//.*`).ReplaceAllString(lines, "")
	lines = lines[strings.Index(lines, "CONSTANTS"):]
	if *update {
		if err := os.WriteFile(golden, []byte(lines), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	wanted, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	was, is := strings.Split(string(wanted), "\n"), strings.Split(lines, "\n")
	for _, line := range was {
		if !slices.Contains(is, line) {
			t.Errorf("gone from the public API: %s", line)
		}
	}
	for _, line := range is {
		if !slices.Contains(was, line) {
			t.Errorf("new in the public API: %s", line)
		}
	}
	if !t.Failed() && string(wanted) != lines {
		t.Errorf("the public API stands in another order than in %s", golden)
	}
}
