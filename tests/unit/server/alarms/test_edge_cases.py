"""Every edge case of alarms has its test: this table says where each is."""

from __future__ import annotations

import ast
from functools import lru_cache

import pytest
from tests.support.code_blocks import ROOT

_UNIT, _CALLS, _ACTIONS = (
    "unit/server/alarms",
    "component/server/test_alarms.py",
    "component/server/test_alarm_actions.py",
)
_BOOK, _FEED, _MONITOR = f"{_UNIT}/test_book.py", f"{_UNIT}/test_feed.py", f"{_UNIT}/test_monitor.py"
_HISTORIES, _WIRE = "property/test_alarm_sequences.py", f"{_UNIT}/test_wire.py"
_WORKER, _READERS = "unit/worker/alarms", "unit/protocol/alarms"
_FAILOVER, _SIMULATED = f"{_WORKER}/test_failover.py", f"{_WORKER}/test_simulated_alarms.py"
_READER, _TIMES, _HISTORY = f"{_READERS}/test_reader.py", f"{_READERS}/test_times.py", f"{_UNIT}/test_history.py"
_STORM = "test_faults_in_a_calm_plant_change_nothing_for_anybody"
_LISTS = "test_snapshot_and_transitions_are_the_list_for_every_reader_under_faults"

CASES: dict[int, list[tuple[str, str]]] = {
    1: [
        ("unit/worker/alarms/test_service.py", "test_no_alarm_command_runs_on_another_thread"),
        ("unit/worker/alarms/test_service.py", "test_turns_and_the_end_belong_to_the_thread_too"),
        ("contract/test_alarm_provider.py", "test_case_1_every_entry_refuses_a_thread_that_is_not_the_apartments"),
    ],
    2: [
        (_MONITOR, "test_lists_that_do_not_come_are_counted_and_the_third_in_a_row_ends_the_worker"),
        (_FAILOVER, "test_without_attributes_nobody_speaks_until_it_answers_again"),
    ],
    3: [
        (_ACTIONS, "test_a_refused_subscription_is_a_failure_with_its_hresult"),
        (
            "contract/test_alarm_provider.py",
            "test_whatever_fails_in_a_registration_is_told_with_its_hresult_and_leaves_nothing_behind",
        ),
    ],
    4: [
        ("contract/test_alarm_link.py", "test_the_list_and_the_events_after_it_are_what_the_worker_knows"),
        (
            "faults/test_alarm_worker.py",
            "test_case_54_a_killed_worker_is_back_within_seconds_and_no_alarm_has_vanished",
        ),
    ],
    5: [(_SIMULATED, "test_closing_undoes_only_what_was_done")],
    6: [(f"{_UNIT}/test_driver.py", "test_case_6_a_hundred_starts_that_fail_leave_nothing_behind")],
    7: [("component/server/test_access_table.py", "test_each_scope_opens_what_it_says_and_nothing_else")],
    8: [(_CALLS, "test_before_there_is_a_list_a_stream_says_so_and_a_query_is_refused")],
    9: [("unit/server/config/test_problems.py", "test_wrong_alarm_options_stop_the_start_all_at_once")],
    10: [(_CALLS, "test_the_plant_is_told_of_operator_and_node_as_the_settings_say")],
    11: [(_CALLS, "test_a_prefix_filter_never_eats_the_marker_and_leaves_other_alarms_out")],
    12: [(_CALLS, "test_a_killed_worker_is_replaced_and_nothing_is_cleared")],
    13: [(_CALLS, "test_a_stream_resumes_after_its_position_and_a_foreign_one_is_a_gap_and_a_snapshot")],
    14: [
        (_BOOK, "test_case_14_records_of_the_same_moment_are_all_kept"),
        (f"{_WORKER}/test_differ.py", "test_case_14_a_record_of_the_same_moment_as_the_last_one_is_not_taken_for_old"),
    ],
    15: [
        (_BOOK, "test_case_15_a_list_that_is_cut_ends_no_alarm"),
        (
            "contract/test_alarm_provider.py",
            "test_a_list_that_is_longer_than_was_asked_for_is_asked_for_again_until_it_is_whole",
        ),
    ],
    16: [(_BOOK, "test_case_16_an_alarm_that_came_again_unseen_has_the_clear_that_must_have_been")],
    17: [(_CALLS, "test_an_acknowledgement_of_an_occurrence_that_is_over_says_which_is_there_now")],
    18: [(_BOOK, "test_case_18_a_comparison_removes_what_is_dead_adds_what_is_new_and_says_where_from")],
    19: [(_MONITOR, "test_a_hole_in_the_events_ends_the_worker"), (_HISTORIES, _LISTS)],
    20: [(_MONITOR, "test_a_silent_worker_makes_the_list_uncertain_and_the_next_list_good_again")],
    21: [(_ACTIONS, "test_each_alarm_of_a_list_has_its_result_in_order_and_one_that_fails_stops_no_other")],
    22: [(f"{_UNIT}/test_confirming.py", "test_case_22_a_wait_ends_with_its_own_change")],
    23: [
        (_HISTORIES, _LISTS),
        ("unit/simulator/plant/test_alarm_states.py", "test_a_restart_finds_everything_as_it_was"),
    ],
    24: [(_HISTORIES, _STORM), (_SIMULATED, "test_a_late_worker_has_the_same_list")],
    25: [(_HISTORIES, _LISTS)],
    26: [(_BOOK, "test_case_26_an_alarm_that_was_acknowledged_and_has_returned_is_gone")],
    27: [(_CALLS, "test_a_repeated_acknowledgement_is_one_call_and_one_answer")],
    28: [("unit/simulator/plant/test_alarm_conditions.py", "test_a_time_deadband_delays_the_alarm")],
    29: [
        (_TIMES, "test_dates_and_times_of_many_places"),
        (_TIMES, "test_the_hour_that_comes_twice_is_the_later_one_unless_that_is_to_come"),
    ],
    30: [
        (_CALLS, "test_a_failover_and_a_failback_are_two_statuses"),
        (_FAILOVER, "test_a_flapping_alarm_manager_changes_over_once_a_threshold"),
    ],
    31: [(_BOOK, "test_case_31_an_alarm_outside_the_watch_list_stays_and_is_uncertain_until_it_is_told_of_again")],
    32: [(_BOOK, "test_case_32_new_guids_of_a_restarted_provider_are_adopted_silently_and_the_old_ones_still_name_it")],
    33: [(_CALLS, "test_an_alarm_that_changes_across_a_filters_border_leaves_and_enters")],
    34: [(_BOOK, "test_case_34_an_alarm_that_moved_is_removed_there_and_raised_here")],
    35: [(_BOOK, "test_case_35_an_alarm_of_an_object_that_is_not_deployed_is_removed_and_comes_back_as_a_raise")],
    36: [(_BOOK, "test_case_36_references_that_differ_in_case_are_one_alarm")],
    37: [(_WIRE, "test_case_37_only_the_reference_is_taken_apart")],
    38: [(_CALLS, "test_a_comment_arrives_as_it_is_or_is_refused_and_never_cut")],
    39: [(_BOOK, "test_case_39_an_alarm_that_was_disabled_and_enabled_is_removed_and_raised_as_another_occurrence")],
    40: [(_MONITOR, "test_case_40_an_area_that_is_silenced_is_one_change_for_each_of_its_alarms")],
    41: [(_MONITOR, "test_case_41_a_shelving_that_ended_while_nobody_looked_is_right_at_the_return")],
    42: [(_ACTIONS, "test_a_latched_alarm_is_dismissed_and_raised_again")],
    43: [(_FEED, "test_case_43_a_stream_that_is_too_slow_gets_what_its_policy_says")],
    44: [(_FEED, "test_case_44_a_thousand_streams_open_and_close_in_a_storm_and_none_misses_its_place")],
    45: [(_HISTORIES, "test_a_reader_resumes_after_every_change_of_a_run")],
    46: [(_FEED, "test_case_46_a_position_that_does_not_fit_is_a_gap_and_a_snapshot")],
    47: [
        (_HISTORY, "test_a_disk_that_fails_loses_what_it_was_given_and_says_so"),
        (_HISTORY, "test_a_damaged_file_is_set_aside"),
        (_HISTORY, "test_case_47_a_clock_that_is_set_back_changes_no_order"),
    ],
    48: [
        (_FEED, "test_case_48_when_what_a_key_may_see_has_changed_its_streams_begin_anew"),
        (
            "component/server/test_alarm_past.py",
            "test_a_key_with_limits_on_alarms_gets_no_count_and_no_text_of_the_others",
        ),
    ],
    49: [(_ACTIONS, "test_a_worker_that_is_lost_in_the_middle_leaves_the_rest_unavailable")],
    50: [(_CALLS, "test_what_the_provider_does_not_take_is_data_and_what_nobody_sees_is_only_accepted")],
    51: [
        (f"{_UNIT}/test_filters.py", "test_case_51_what_no_filter_can_be_is_refused_by_its_field"),
        (f"{_UNIT}/test_filters.py", "test_case_51_a_glob_made_to_stall_is_matched_in_a_moment"),
    ],
    52: [
        (_READER, "test_what_is_no_list_fails_and_changes_nothing"),
        (_READER, "test_an_answer_without_end_is_refused_before_it_is_looked_at"),
        ("contract/test_alarm_provider.py", "test_a_broken_answer_is_no_list_and_ends_nothing"),
    ],
    53: [
        (_WIRE, "test_case_53_a_state_or_kind_that_is_not_known_is_kept_in_its_own_words"),
        (_READER, "test_an_unknown_state_is_kept_as_it_is"),
    ],
    54: [
        ("faults/test_alarm_worker.py", "test_case_54_a_killed_worker_is_back_within_seconds_and_no_alarm_has_vanished")
    ],
    55: [
        ("unit/worker/alarms/test_service.py", "test_a_storm_ends_no_session"),
        (_FAILOVER, "test_a_storm_waits_and_nothing_of_it_is_lost"),
    ],
}
"""By the number of the case; those of the same case look at it on different floors."""


@lru_cache
def functions(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return frozenset(each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("case", CASES)
def test_the_case_has_its_tests(case: int) -> None:
    for file, name in CASES[case]:
        assert name in functions(file), (file, name)


def test_no_case_is_left_out() -> None:
    assert list(CASES) == list(range(1, 56))
