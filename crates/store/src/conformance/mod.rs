//! What every store must do, as tests that know the traits only. A backend gives a [`Fixture`] and calls
//! [`conformance_suite!`](crate::conformance_suite); it writes no test of its own for what is here.

pub mod accounts;
pub mod appends;
pub mod claims;
pub mod feed;
pub mod friends;
pub mod group_model;
pub mod group_views;
mod group_world;
pub mod groups;
pub mod model;
pub mod reading;
pub mod rooms;
pub mod searching;
pub mod sessions;
pub mod spam;
pub mod visitors;
mod world;

use std::sync::Arc;

use crate::{Listener, Store};

/// Makes stores of one backend; what one of them stored is found by the next.
pub trait Fixture {
    /// The backend.
    type Store: Store;

    /// Opens it.
    fn open(&self, listener: Arc<dyn Listener>) -> Arc<Self::Store>;

    /// Shuts it down in good order.
    fn close(&self, store: Arc<Self::Store>);
}

/// Polls a test as it is: for stores that have threads, or need none.
pub async fn by_itself<F: Fixture>(_: &F, test: impl Future<Output = ()>) {
    test.await;
}

/// One test for each promise; the argument makes a fresh fixture and names it by its full path. Another argument may name
/// the function that polls the test and, between polls, does what the store waits for; by default [`by_itself`].
#[macro_export]
macro_rules! conformance_suite {
    ($fixture:expr) => {
        $crate::conformance_suite!($fixture, $crate::conformance::by_itself);
    };
    ($fixture:expr, $poll:path) => {
        $crate::conformance_suite!($fixture, $poll; accounts:
            names_belong_to_one_app, keys_are_kept_when_revoked, disabling_ends_sessions);
        $crate::conformance_suite!($fixture, $poll; appends:
            numbers_have_no_gaps_however_many_write, a_repeat_gets_the_first_answer,
            who_got_in_is_answered_whatever_their_rights, a_stale_decision_holds_back_what_follows,
            a_dead_session_writes_nothing, blocks_are_facts_beside_the_head, recall_edit_and_reactions_change_the_row,
            only_messages_can_be_altered, a_send_moves_the_senders_mark, notes_to_oneself_arrive_once);
        $crate::conformance_suite!($fixture, $poll; reading:
            inbox_pages_are_bounded_and_gapless, an_inbox_shows_rows_as_they_are_now, history_says_what_it_covers,
            history_tells_what_changed_since, the_first_screen_shows_everything, receipts_never_go_back,
            a_read_mark_is_told_as_it_was_when_it_moved, a_hidden_reply_still_tells_what_was_read, deletions_are_for_oneself, numbers_at_the_edge_do_no_harm);
        $crate::conformance_suite!($fixture, $poll; rooms:
            a_room_is_made_once, what_is_said_is_numbered_and_told, who_was_heard_is_answered_again,
            a_rooms_history_says_what_it_covers);
        $crate::conformance_suite!($fixture, $poll; sessions:
            two_logins_of_a_term_leave_one_alive,
            a_login_that_was_overtaken_changes_nothing, a_login_of_a_known_device_replaces_its_session,
            devices_are_limited_by_forgetting, a_resume_tells_why_not, cursors_never_go_back);
        $crate::conformance_suite!($fixture, $poll; searching:
            a_search_finds_what_its_asker_may_see, what_is_found_is_as_it_is_now, hits_are_read_by_pages);
        $crate::conformance_suite!($fixture, $poll; spam:
            lists_of_words_raise_their_apps_version, audits_are_read_by_pages,
            a_message_waits_until_it_is_decided_about, the_server_may_append_for_an_ended_session);
        $crate::conformance_suite!($fixture, $poll; visitors:
            visits_are_counted, visitors_meet_their_hosts, a_host_who_leaves_makes_decisions_stale);
        $crate::conformance_suite!($fixture, $poll; claims:
            a_visitor_is_claimed_once, a_claim_makes_decisions_stale, a_claim_is_told_to_both_sides,
            the_first_screen_shows_what_was_claimed, a_claim_misses_no_conversation);
        $crate::conformance_suite!($fixture, $poll; friends:
            a_friendship_is_one_row_and_two_lists, friends_are_added_on_what_is_so, requests_and_friendships_end,
            lists_miss_nothing, documents_have_versions);
        $crate::conformance_suite!($fixture, $poll; feed:
            the_listener_hears_commits_in_order, changes_of_what_is_hidden_are_gone,
            the_feed_names_every_head_that_moved, a_restart_keeps_everything);
        $crate::conformance_suite!($fixture, $poll; model: unread_is_exact_for_random_histories);
        $crate::conformance_suite!($fixture, $poll; groups:
            a_group_has_one_log_without_gaps, who_spoke_is_answered_again_whatever_their_rights,
            the_roles_of_a_group_decide, a_group_has_texts_rules_and_pins, people_join_by_the_door_that_is_open,
            who_keeps_order_now_is_told_who_asks, a_dissolved_group_can_be_read, the_listener_hears_groups_in_order,
            a_restart_keeps_groups);
        $crate::conformance_suite!($fixture, $poll; group_views:
            members_see_what_was_said_while_they_were_in, read_marks_of_members_are_told_as_they_were,
            members_hide_entries_from_themselves, mentions_reach_members, the_list_of_groups_misses_no_change,
            members_are_listed_in_pages, a_member_learns_who_has_a_message, large_groups_are_quiet);
        $crate::conformance_suite!($fixture, $poll; group_model: unread_and_views_are_exact_for_random_histories);
    };
    ($fixture:expr, $poll:path; $area:ident: $($test:ident),* $(,)?) => {
        mod $area {
            $(#[tokio::test]
            async fn $test() {
                let fixture = $fixture;
                $poll(&fixture, $crate::conformance::$area::$test(&fixture)).await;
            })*
        }
    };
}
