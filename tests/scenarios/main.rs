//! What holds whatever the engines are: each scenario is written once and runs unchanged on every pair of them.
//!
//! A scenario is a function in a file of `stories/`, generic over the [`pair::Pair`] that it runs on; the table below makes a
//! test of it for each pair, `story::scenario::pair`. Where pairs may differ, `pair.rs` has a word for it and each pair says
//! what holds for it. Not here: what only one engine can show (`tests/embedded`, `tests/clustered`).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod clustered;
mod embedded;
mod pair;
mod pipeline;
mod stories;

macro_rules! on_every_pair {
    ($($story:ident { $($scenario:ident),+ $(,)? })+) => {
        $(
            mod $story {
                $(
                    mod $scenario {
                        #[tokio::test(flavor = "multi_thread")]
                        async fn embedded() {
                            crate::stories::$story::$scenario::<crate::embedded::Embedded>().await;
                        }

                        #[tokio::test(flavor = "multi_thread")]
                        async fn clustered() {
                            crate::stories::$story::$scenario::<crate::clustered::Clustered>().await;
                        }
                    }
                )+
            }
        )+
    };
}

on_every_pair! {
    publish {
        what_is_acknowledged_is_listed_and_every_change_is_told_of,
        a_stop_in_order_under_load_loses_nothing,
    }
    crash {
        what_was_acknowledged_survives_the_death_of_every_process_under_load,
    }
    redelivery {
        what_was_stored_and_not_acknowledged_to_the_queue_comes_again_and_is_recorded_once,
    }
    poison {
        webhooks_that_the_store_never_takes_are_buried_alone_and_one_is_recorded_once_redriven,
    }
    duplicates {
        the_same_webhook_many_times_over_is_listed_each_time_and_changes_nothing_twice,
    }
    disorder {
        webhooks_in_the_wrong_order_and_not_at_all_end_at_the_truth,
    }
    outages {
        while_the_queue_is_away_nothing_is_acknowledged_that_could_be_lost,
        while_the_store_is_away_webhooks_are_taken_and_wait_in_the_queue,
    }
    keys {
        a_webhook_of_an_unknown_key_waits_without_effect_until_the_key_is_found,
    }
    sessions {
        a_thief_of_sessions_is_named_and_logins_grow_further_apart,
    }
    leases {
        whoever_takes_the_lease_over_in_the_middle_of_a_read_has_the_last_word,
    }
}
