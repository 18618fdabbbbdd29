"""The dashboard's edge cases: each of the 32 that its design lists has tests, and these are there."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
_DASHBOARD = "component/server/test_dashboard.py"
_EDGES = "component/server/test_dashboard_edges.py"
_PEOPLE = "component/server/test_people.py"
_PERSONS = "unit/server/dashboard/test_persons.py"
_SLOW = "component/server/test_slow_doors.py"
_SAMPLER = "unit/server/dashboard/test_sampler.py"
_SERVER = "unit/server/operations/test_server.py"
_SURROUNDINGS = "browser/test_surroundings.py"
_OUTAGES = "browser/test_outages.py"
_PAGES = "browser/test_pages.py"

CASES: dict[int, tuple[str, list[str]]] = {
    1: ("the key of an open page ends", [f"{_DASHBOARD}::test_a_login_ends_with_its_key"]),
    2: (
        "a viewer calls every action by hand",
        [
            f"{_DASHBOARD}::test_every_route_is_closed_to_whom_it_is_not_for",
            f"{_DASHBOARD}::test_what_is_not_listed_is_not_there",
            f"{_DASHBOARD}::test_sessions_are_closed_and_killed_by_those_who_may_with_a_reason",
        ],
    ),
    3: (
        "a session ends before it is closed",
        [f"{_DASHBOARD}::test_sessions_are_closed_and_killed_by_those_who_may_with_a_reason"],
    ),
    4: (
        "several end the same session",
        [f"{_EDGES}::test_of_three_who_end_one_session_each_hears_what_became_of_it"],
    ),
    5: (
        "a kill while it hangs, starts or stops",
        [
            "unit/server/sessions/test_endings.py::test_a_kill_does_not_wait_for_the_orderly_end_under_way",
            "unit/server/sessions/test_endings.py::test_a_worker_that_does_not_end_in_order_is_told_and_the_session_is_closed_all_the_same",
            "unit/server/sessions/test_manager.py::test_a_session_that_opens_while_the_gateway_stops_is_not_handed_out",
        ],
    ),
    6: (
        "many pages, a leader that freezes or crashes",
        [
            f"{_OUTAGES}::test_ten_pages_of_one_browser_share_one_stream_and_another_takes_it_over",
            f"{_SURROUNDINGS}::test_of_pages_that_freeze_or_crash_another_takes_the_stream_and_one_holds_it",
        ],
    ),
    7: (
        "a page that slept until its login had ended",
        [
            f"{_SURROUNDINGS}::test_a_login_that_has_ended_leads_to_the_sign_in_and_back",
            "unit/server/dashboard/test_logins.py::test_who_does_nothing_is_signed_out_and_who_does_something_is_not",
        ],
    ),
    8: (
        "clocks that are wrong or step",
        [
            f"{_SURROUNDINGS}::test_a_clock_that_is_wrong_by_a_day_ages_nothing",
            f"{_SAMPLER}::test_a_wall_clock_that_steps_moves_no_rate",
            "unit/server/dashboard/test_logins.py::test_a_clock_that_was_set_back_makes_no_login_longer",
        ],
    ),
    9: (
        "the gateway goes and comes back",
        [
            f"{_OUTAGES}::test_a_page_says_that_it_is_not_live_and_goes_on_by_itself_after_a_kill",
            f"{_SERVER}::test_a_new_certificate_holds_from_the_next_handshake_on",
        ],
    ),
    10: (
        "a proxy answers for the gateway",
        [f"{_SURROUNDINGS}::test_what_a_proxy_answers_is_not_taken_for_the_gateway"],
    ),
    11: (
        "the cookie is not kept, or of another gateway",
        [
            f"{_SURROUNDINGS}::test_a_cookie_that_is_not_kept_is_told_in_words",
            f"{_DASHBOARD}::test_every_route_is_closed_to_whom_it_is_not_for",
        ],
    ),
    12: (
        "ways back that lead outside",
        [
            "unit/server/dashboard/test_checks.py::test_a_way_back_stays_inside",
            f"{_PEOPLE}::test_a_sign_in_is_taken_up_once_in_time_and_by_the_browser_that_began_it",
        ],
    ),
    13: (
        "CSRF in all its forms",
        [
            f"{_DASHBOARD}::test_every_route_is_closed_to_whom_it_is_not_for",
            f"{_SURROUNDINGS}::test_a_token_that_is_too_old_is_renewed_once_and_silently",
        ],
    ),
    14: (
        "names that are markup or formulas",
        [
            f"{_PAGES}::test_figures_are_live_and_text_of_clients_is_text",
            f"{_DASHBOARD}::test_the_audit_comes_page_by_page_and_its_export_is_in_it",
            "unit/server/test_logs.py::test_what_callers_send_forges_no_record_and_moves_no_terminal",
        ],
    ),
    15: (
        "values at the ends of their types",
        [
            "unit/server/dashboard/test_values.py::test_a_value_is_shown_with_its_digits",
            "unit/server/dashboard/test_values.py::test_a_time_is_shown_whatever_its_year",
            "unit/server/dashboard/test_values.py::test_an_array_is_named_as_such",
        ],
    ),
    16: (
        "a tag that flips faster than frames",
        [
            "unit/server/dashboard/test_watching.py::test_what_happened_between_two_looks_is_in_the_band",
            f"{_PAGES}::test_tags_are_watched_live_with_words_for_their_quality",
        ],
    ),
    17: (
        "a watched tag that is not there or not allowed",
        ["unit/server/dashboard/test_watching.py::test_a_tag_that_cannot_be_watched_says_why_and_the_others_go_on"],
    ),
    18: (
        "no room for the watch list's session, and a worker that crashes again and again",
        [
            "unit/server/dashboard/test_watching.py::test_without_room_for_a_session_the_list_says_so",
            "unit/server/dashboard/test_watching.py::test_a_worker_that_ends_again_and_again_is_left_alone_for_longer_each_time",
            "unit/server/sessions/test_table.py::"
            "test_what_the_gateway_itself_needs_takes_no_place_of_a_client_and_is_bounded_too",
        ],
    ),
    19: (
        "a tree of many objects",
        [
            "component/galaxy/test_service.py::test_page_sizes",
            "component/galaxy/test_service.py::test_pages_end_at_the_byte_limit",
            "component/galaxy/test_service.py::test_tokens_are_bound",
        ],
    ),
    20: (
        "slow readers, slow writers, idle connections",
        [
            f"{_EDGES}::test_a_reader_who_takes_nothing_is_let_go_and_others_go_on",
            f"{_SERVER}::test_who_never_ends_his_request_is_let_go",
            f"{_SERVER}::test_of_too_many_connections_the_oldest_strangers_go_and_who_is_signed_in_stays",
            "unit/server/dashboard/test_live.py::test_a_slow_reader_sees_the_newest_and_skips_the_rest",
        ],
    ),
    21: (
        "the key store is away",
        [
            f"{_EDGES}::test_with_a_store_that_is_away_pages_go_on_and_nothing_is_changed",
            "component/server/test_readiness_answers.py::test_each_break_has_its_answers",
        ],
    ),
    22: (
        "an audit of millions",
        [f"{_EDGES}::test_a_page_of_the_audit_reads_along_an_index_however_many_records_there_are"],
    ),
    23: (
        "stalls and stops",
        [
            f"{_SAMPLER}::test_a_stall_is_a_gap_and_no_spike",
            "component/server/test_health.py::test_a_stalled_loop_is_not_ready_and_is_alive",
        ],
    ),
    24: ("counters that begin anew", ["unit/server/dashboard/test_series.py::test_a_rate_is_never_negative"]),
    25: (
        "thousands of sessions",
        [
            f"{_SAMPLER}::test_what_is_over_is_forgotten_and_no_span_is_made_up",
            "unit/server/dashboard/test_series.py::test_a_ring_keeps_the_newest_in_order",
            "unit/benches/test_operations.py::test_lines_are_few_and_do_not_grow_with_sessions",
        ],
    ),
    26: (
        "a log that cannot be written",
        [
            "unit/server/test_log_writer.py::test_a_reader_that_is_stuck_stops_nobody_and_what_is_dropped_is_counted",
            "unit/server/test_log_writer.py::test_a_folder_that_goes_and_comes_back_is_taken_up_again",
        ],
    ),
    27: (
        "a bundle while all is broken",
        [
            "component/server/test_diagnostics.py::test_a_part_that_fails_or_looks_like_a_secret_is_left_out_and_told",
            f"{_DASHBOARD}::test_administrators_reload_change_the_level_and_take_a_bundle_and_all_is_audited",
            "component/server/test_controls.py::test_telling_it_does_not_hold_the_loop",
        ],
    ),
    28: (
        "providers and directories",
        [
            f"{_PEOPLE}::test_what_is_not_to_be_trusted_lets_nobody_in",
            f"{_PEOPLE}::test_a_sign_in_is_taken_up_once_in_time_and_by_the_browser_that_began_it",
            f"{_PEOPLE}::test_the_provider_may_change_its_keys_and_a_stranger_makes_nobody_ask_for_them",
            "unit/server/dashboard/test_directory.py::test_everybody_else_is_refused_in_the_same_words",
            "unit/server/dashboard/test_directory.py::test_a_directory_that_is_silent_is_not_waited_for",
            f"{_PERSONS}::test_a_person_is_never_taken_for_a_key_or_for_another_person",
            f"{_SLOW}::test_keys_sign_in_while_a_door_does_not_answer",
            f"{_SLOW}::test_a_directory_that_never_answers_is_given_up_in_time_and_leaves_no_thread",
            f"{_SLOW}::test_of_many_who_wait_for_a_provider_nobody_waits_for_the_others",
        ],
    ),
    29: (
        "headers of a proxy from elsewhere",
        [
            f"{_PEOPLE}::test_headers_from_elsewhere_are_as_if_they_were_not_there",
            f"{_PERSONS}::test_a_proxy_names_one_person_or_nobody",
            f"{_PERSONS}::test_the_client_is_the_last_address_that_is_no_proxy_of_ours",
        ],
    ),
    30: (
        "systemd and Windows",
        [
            "component/server/test_controls.py::test_systemd_is_told_where_it_listens_and_nothing_fails_where_it_does_not",
            "component/server/test_controls.py::test_a_reload_takes_what_it_can_and_nothing_of_what_is_wrong",
            "unit/server/node/test_service.py::test_a_gateway_that_does_not_end_is_ended",
            "unit/server/node/test_service.py::test_a_gateway_that_cannot_be_started_is_told",
            "unit/server/node/test_service.py::test_the_command_line_is_quoted",
            "integration/test_upgrade_signals.py::test_a_stop_between_two_programs_is_heard_and_ends_all_in_order",
            "integration/test_upgrade_versions.py::test_one_that_does_not_fit_is_refused_before_anything_is_done",
        ],
    ),
    31: (
        "two gateways on one host",
        [
            "unit/server/dashboard/test_checks.py::test_each_gateway_has_a_cookie_of_its_own_and_https_has_the_stricter_name",
            "integration/test_two_gateways.py::test_each_is_asked_by_itself_and_knows_only_its_own",
            "integration/test_two_gateways.py::test_what_a_killed_one_leaves_stands_in_nobodys_way",
            "unit/server/test_log_writer.py::test_two_gateways_may_write_into_one_file_and_put_it_aside",
            f"{_SERVER}::test_a_taken_port_is_an_error_only_where_it_was_asked_for",
        ],
    ),
    32: (
        "many scrape at once, as strangers and in the other form",
        [
            "component/server/test_metrics.py::test_every_metric_of_the_table_is_there_in_both_forms",
            "component/server/test_metrics.py::test_ten_who_scrape_at_once_get_all_of_it_and_the_end_leaves_nobody_waiting",
            "component/server/test_metrics.py::test_who_is_not_on_this_machine_needs_a_key_that_may",
            "component/server/test_metrics.py::test_open_metrics_ask_for_nothing_and_metrics_that_are_off_are_not_there",
        ],
    ),
}


@cache
def names_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_edge_case_is_listed() -> None:
    assert list(CASES) == list(range(1, 33))


@pytest.mark.parametrize("number", CASES)
def test_each_has_tests_that_are_there(number: int) -> None:
    _, tests = CASES[number]
    missing = [test for test in tests if test.partition("::")[2] not in names_in(test.partition("::")[0])]
    assert tests
    assert missing == []
