//! What every engine of the store must do, as scenarios over the four ports alone.
//!
//! [`conformance_tests!`](crate::conformance_tests) makes a test of each; an engine brings an [`Engine`], which opens empty
//! stores. Not here: what only one engine can show (files, locks, connections).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "this is test code, in a library to be shared"
)]

pub mod claims;
pub mod deletion;
pub mod feed;
pub mod gaps;
pub mod hints;
pub mod inspect;
pub mod intake;
pub mod keys;
pub mod lease;
pub mod letters;
pub mod observe;
pub mod order;
pub mod pending;
pub mod rebuild;
pub mod replay;
pub mod retention;
pub mod version5;
pub mod world;

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{Feed, Inspect, Intake, Refresh, Rules};

/// One store, through its ports.
#[derive(Clone)]
pub struct Stores {
    /// The consumer's port.
    pub intake: Arc<dyn Intake>,
    /// The reconciler's port.
    pub refresh: Arc<dyn Refresh>,
    /// The feed's port.
    pub feed: Arc<dyn Feed>,
    /// A person's port.
    pub inspect: Arc<dyn Inspect>,
    /// What must live as long as the store, such as its folder.
    _kept: Arc<dyn Any + Send + Sync>,
}

impl Stores {
    /// The ports of `store`; `kept` drops after it.
    pub fn new(store: impl Intake + Refresh + Feed + Inspect + 'static, kept: impl Any + Send + Sync) -> Self {
        let store = Arc::new(store);
        Self {
            intake: store.clone(),
            refresh: store.clone(),
            feed: store.clone(),
            inspect: store,
            _kept: Arc::new(kept),
        }
    }
}

/// An engine under test.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Opens an empty store that nobody else uses.
    async fn open(&self, rules: Rules) -> Stores;
}

/// A `#[tokio::test]` for each scenario, on the engine that the expression makes.
#[macro_export]
macro_rules! conformance_tests {
    ($engine:expr) => {
        $crate::conformance_tests! { @each $engine;
            intake::a_body_seen_before_is_a_duplicate_and_hints_all_the_same,
            intake::a_receipt_recorded_again_changes_nothing,
            intake::answers_come_in_the_order_asked,
            intake::the_same_body_in_two_apps_is_two_bodies,
            intake::a_body_beyond_the_budget_of_its_app_is_kept_by_its_hash_alone,
            intake::a_culprit_is_named_and_nothing_of_its_batch_is_kept,
            intake::the_books_account_for_every_number,
            intake::what_is_booked_is_what_is_stored,
            intake::a_letter_is_buried_once_per_receipt,
            intake::marks_may_come_twice_and_in_any_order,
            intake::a_store_that_can_be_written_says_so,
            letters::a_letter_is_gone_once_its_message_is_in_the_queue_again,
            letters::a_message_buried_again_meanwhile_keeps_its_letter,
            letters::a_discarded_letter_leaves_no_hole_in_the_books,
            letters::letters_are_listed_newest_first_by_filter_and_page,
            hints::a_known_token_is_hinted_at_itself,
            hints::an_unknown_token_in_a_bound_body_gets_one_read,
            hints::an_unknown_token_in_an_unbound_body_hints_at_its_app_once,
            hints::a_body_that_names_nobody_hints_at_its_app,
            hints::a_body_that_names_more_than_counts_hints_at_its_app_too,
            hints::an_unchecked_webhook_hints_like_an_unbound_one,
            hints::a_hint_never_lowers_not_before,
            hints::a_hint_during_a_read_stays_unanswered,
            hints::an_answer_that_comes_too_late_answers_no_later_hint,
            hints::a_request_hints_at_what_is_known_only,
            claims::hinted_rows_come_first_then_those_due_for_longest,
            claims::two_claimers_never_get_the_same_row,
            claims::a_claim_that_is_not_answered_ends_by_itself,
            claims::a_list_claims_the_app_and_what_a_list_can_answer,
            claims::a_postponed_claim_waits_and_keeps_its_hint,
            claims::due_says_when_the_next_row_becomes_claimable,
            lease::an_app_is_pinned_to_its_client,
            lease::the_first_sweep_is_due_at_once_and_a_restart_asks_for_none,
            lease::one_holds_the_lease_at_a_time,
            lease::a_takeover_gives_back_the_claims_made_before,
            lease::whoever_lost_the_lease_can_do_nothing,
            observe::the_state_and_its_events_come_together,
            observe::an_unchanged_read_is_no_event,
            observe::what_the_first_sweep_finds_is_not_announced_unless_asked_for,
            observe::a_list_of_many_is_one_transaction_in_the_order_asked,
            observe::an_unknown_token_that_is_not_there_is_forgotten,
            observe::the_second_look_after_a_hint_outlives_a_sweep,
            observe::a_sweep_answers_the_app_and_schedules_the_next,
            observe::a_read_of_another_app_is_refused,
            order::reads_in_any_order_and_multiplicity_end_in_the_same_connections,
            order::an_older_read_changes_nothing,
            deletion::a_404_and_an_absence_twice_apart_delete,
            deletion::neither_answer_alone_deletes,
            deletion::a_deleted_connection_revives_when_a_hint_finds_it,
            deletion::many_missing_at_once_wait_for_an_operator,
            gaps::a_change_that_no_webhook_told_of_is_a_gap,
            gaps::a_change_that_a_waiting_hint_told_of_is_none,
            gaps::a_change_found_before_the_second_look_after_a_hint_is_none,
            gaps::a_change_found_while_its_app_is_hinted_at_is_none,
            gaps::a_late_hint_closes_the_oldest_gap,
            gaps::a_gap_whose_webhook_never_comes_is_lost,
            pending::a_pending_webhook_hints_once_it_is_verified,
            pending::a_rejected_webhook_never_hints,
            pending::keys_are_waited_for_until_all_is_decided,
            pending::a_404_for_a_key_is_counted,
            pending::unknown_keys_come_by_how_many_wait_for_them_or_by_how_long,
            pending::old_pending_webhooks_of_unknown_keys_are_found,
            keys::a_key_is_learned_and_forgotten,
            keys::finlink_can_be_asked_for_keys_while_its_answers_say_so,
            keys::a_session_is_kept_per_secret,
            feed::events_are_numbered_without_holes_in_the_order_of_commit,
            feed::a_page_goes_on_past_what_its_filter_left_out,
            feed::one_relays_at_a_time_and_the_next_goes_on_from_there,
            feed::many_that_ask_for_the_relays_turn_at_once_get_one,
            inspect::deliveries_are_listed_newest_first_by_filter_and_page,
            inspect::connections_are_listed_by_filter_and_page,
            inspect::an_explanation_has_all_that_bears_on_a_connection,
            inspect::totals_count_everything_once,
            inspect::totals_tell_when_each_run_was_last_heard,
            replay::webhooks_point_at_what_they_would_hint_at_now,
            replay::a_replay_hints_at_everything_once_and_records_nothing,
            replay::a_replay_is_a_persons_wish_and_waits_its_turn,
            replay::a_replay_has_a_token_read_again_that_was_not_there,
            retention::old_deliveries_go_and_young_and_pending_ones_stay,
            retention::the_clock_of_an_ingress_decides_not_what_goes,
            retention::a_purge_goes_on_behind_an_ingress_whose_clock_is_far_behind,
            retention::a_body_stays_for_as_long_as_a_delivery_refers_to_it,
            retention::the_last_duplicate_takes_its_body_along,
            retention::what_is_delivered_again_after_its_purge_is_new,
            retention::the_books_prove_the_same_before_and_after,
            retention::no_more_go_at_once_than_asked_for_and_none_of_another_app,
            retention::whoever_lost_the_lease_purges_nothing,
            retention::totals_count_what_is_left,
            retention::old_events_go_once_they_are_numbered_and_relayed,
            retention::a_change_whose_event_is_gone_is_no_second_event,
            retention::events_go_app_by_app,
            rebuild::what_every_rule_did_is_rebuilt,
            rebuild::any_history_is_rebuilt,
            rebuild::a_held_deletion_is_rebuilt_in_whatever_order_its_reads_were_judged,
            rebuild::connections_are_compared_by_filter_and_page,
        }
    };
    (@each $engine:expr; $($area:ident::$scenario:ident),* $(,)?) => {
        $(
            #[::tokio::test]
            async fn $scenario() {
                $crate::conformance::$area::$scenario(&$engine).await;
            }
        )*
    };
}
