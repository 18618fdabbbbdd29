// What no source states for certain, by the simulator's names: so one Galaxy description sets both.
#pragma once
#include "basics.h"
// The values that the stand-in can play, parted by |, its own choice first; `number` is a whole number from 0. Where only
// one value stands, it plays no other: the rule is LMXProxy's, and nothing else has been built here.
struct Switch { const wchar_t *name, *values, *initial; };
static const Switch SWITCHES[] = {
    {L"first_callback_cold_min_ms", L"number", L"0"},
    {L"first_callback_cold_max_ms", L"number", L"0"},
    {L"first_callback_warm_ms", L"number", L"0"},
    {L"change_latency_ms", L"number", L"0"},
    {L"write_latency_ms", L"number", L"0"},
    {L"operation_latency_ms", L"number", L"230"},
    {L"initializing_ms", L"number", L"0"},
    {L"waiting_callback_first", L"true|false", L"false"},
    {L"double_advise", L"success|e_invalidarg", L"success"},
    {L"double_advise_upgrades", L"true|false", L"true"},
    {L"unadvise_unadvised", L"success|e_invalidarg", L"success"},
    {L"remove_advised", L"unadvise|e_invalidarg", L"unadvise"},
    {L"remove_drops_completions", L"true|false", L"true"},
    {L"equal_references_share_handle", L"true|false", L"false"},
    {L"rebind_after_deploy", L"true|false", L"true"},
    {L"bare_array_category", L"configuration|communication", L"configuration"},
    {L"bad_reference_detail", L"number", L"6"},
    {L"write_completion_first", L"true|false", L"true"},
    {L"write_pending_completion_first", L"true|false", L"false"},
    {L"write_ok_source", L"responding_object|requesting_lmx", L"responding_object"},
    {L"not_coercible_category", L"software|operational", L"software"},
    {L"not_coercible_detail", L"generic|specific", L"generic"},
    {L"denied_detail", L"number", L"1008"},
    {L"write_equal_value_echoes", L"true|false", L"true"},
    {L"supervisory_skips_security", L"true|false", L"true"},
    {L"secured_needs_authenticated_user", L"true|false", L"true"},
    {L"coercion", L"automation", L"automation"},
    {L"event_data_type", L"vartype", L"vartype"},
    {L"qualified_enum_as", L"integer", L"integer"},
    {L"qualified_struct_as", L"failure", L"failure"},
    {L"wide_integers", L"refused|coerced", L"refused"},
    {L"array_elements", L"family|exact", L"family"},
    {L"timestamp_vartype", L"date", L"date"},
    {L"stopped_engine_keeps_value", L"true|false", L"true"},
    {L"stopped_engine_source", L"responding_nmx|requesting_nmx", L"responding_nmx"},
    {L"undeployed_detail", L"number", L"6"},
    {L"redeploy_signature_callback", L"true", L"true"},
    {L"initializing_callback", L"true|false", L"true"},
    {L"suspend_unadvised_fails", L"true|false", L"true"},
    {L"suspend_again", L"pending|ok", L"pending"},
    {L"suspend_failed_callback", L"true|false", L"true"},
    {L"operation_complete_on_activate", L"true|false", L"true"},
    {L"suspended_callback", L"true|false", L"true"},
    {L"buffered_batch", L"true|false", L"false"},
    {L"buffered_needs_buffer", L"true|false", L"true"},
    {L"buffered_default_interval_ms", L"number", L"100"},
    {L"signal_resume_ms", L"0", L"0"},
    {L"ack_again", L"success|fails", L"success"},
    {L"ack_inactive", L"success|fails", L"success"},
    {L"alarm_guid", L"per_occurrence", L"per_occurrence"},
    {L"alarm_comment_on_raise", L"keep", L"keep"},
    {L"alarm_long_comment", L"cut", L"cut"},
    {L"alarm_on_enable", L"new", L"new"},
    {L"acked_when_disabled", L"true", L"true"},
    {L"alarm_off_scan", L"gone", L"gone"},
    {L"alarm_engine_stop", L"gone", L"gone"},
    {L"alarm_latching", L"false", L"false"},
    {L"alarm_mode_numbers", L"from_0", L"from_0"},
    {L"limit_deadband", L"on_return", L"on_return"},
    {L"time_deadband_stamp", L"first", L"first"},
    {L"bad_quality_alarm", L"keep", L"keep"},
    {L"active_bit_with_rtn", L"false", L"false"},
    {L"alarm_xml", L"true", L"true"},
    {L"alarm_date_order", L"mdy", L"mdy"},
    {L"alarm_sub_areas", L"true", L"true"},
    {L"silenced_in_list", L"true", L"true"},
};
// Values are never freed nor changed in place: events look at them from a thread of their own.
static std::map<String, const wchar_t *> g_switches;
static std::set<String> g_texts;
static String g_problem;                              // what the table asks for and is not to be had; then there is no object

static bool set_switch(const String &name, const String &value)
{
    for (auto &s : SWITCHES) {
        if (name != s.name) continue;
        bool good = !value.empty() && !wcscmp(s.values, L"number");
        for (wchar_t c : value) good = good && iswdigit(c);
        for (auto &one : split(s.values, L'|')) good = good || one == value;
        if (good) g_switches[name] = g_texts.insert(value).first->c_str();
        else g_problem = L"switch " + name + L" has no value " + value;
        return good;
    }
    g_problem = L"no switch " + name;
    return false;
}
static void reset_switches() { for (auto &s : SWITCHES) g_switches[s.name] = s.initial; }
static const wchar_t *held(const wchar_t *name) { return g_switches.find(name)->second; }
static bool is(const wchar_t *name, const wchar_t *value) { return !wcscmp(held(name), value); }
static bool on(const wchar_t *name) { return is(name, L"true"); }
static long whole(const wchar_t *name) { return wcstol(held(name), nullptr, 10); }
