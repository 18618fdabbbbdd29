package mxgateway

import (
	"fmt"
	"strings"

	pb "mxaccess-gateway.example/clients/go/gatewaypb"
)

// IsStatusFailure tells whether an MXSTATUS_PROXY says that the operation failed. A status that nobody filled says
// nothing; pending and warning are no failures.
func IsStatusFailure(status *pb.MxStatusProxy) bool {
	switch status.GetCategory() {
	case pb.MxStatusCategory_MX_STATUS_CATEGORY_UNSPECIFIED:
		return false
	case pb.MxStatusCategory_MX_STATUS_CATEGORY_UNKNOWN, pb.MxStatusCategory_MX_STATUS_CATEGORY_OK,
		pb.MxStatusCategory_MX_STATUS_CATEGORY_PENDING, pb.MxStatusCategory_MX_STATUS_CATEGORY_WARNING:
		return status.GetSuccess() == 0
	}
	return true
}

// StatusText is one MXSTATUS_PROXY in words: category, detail number, and what the number means.
func StatusText(status *pb.MxStatusProxy) string {
	category := "?"
	if name, ok := pb.MxStatusCategory_name[int32(status.GetCategory())]; ok {
		category = strings.TrimPrefix(name, "MX_STATUS_CATEGORY_")
	}
	text := fmt.Sprintf("%s detail %d", category, status.GetDetail())
	meaning := status.GetDiagnosticText()
	if meaning == "" {
		meaning = statusDetails[status.GetDetail()]
	}
	if meaning != "" {
		text += " (" + meaning + ")"
	}
	return text
}

// IsGood tells whether an OPC quality word is good, for example 192.
func IsGood(quality int32) bool { return quality&0xC0 == 0xC0 }

// IsUncertain tells whether an OPC quality word is uncertain, for example 64.
func IsUncertain(quality int32) bool { return quality&0xC0 == 0x40 }

// IsBad tells whether an OPC quality word is bad; "initializing" (32) is among them.
func IsBad(quality int32) bool { return quality&0xC0 == 0 }

// QualityName is the quality in words, for example Good for 192; limit bits are left out.
func QualityName(quality int32) string {
	if name, ok := qualityNames[quality&0xFC]; ok {
		return name
	}
	switch {
	case IsGood(quality):
		return "Good"
	case IsUncertain(quality):
		return "Uncertain"
	}
	return "Bad"
}
