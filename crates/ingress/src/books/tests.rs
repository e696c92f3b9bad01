//! The books balance in whatever order attempts are decided.

use super::*;

const NOW: UtcMicros = UtcMicros(1_767_225_600_000_000);

fn range(from: u64, through: u64) -> SequenceRange {
    SequenceRange { from, through }
}

fn draw(books: &Books, count: usize) {
    for _ in 0..count {
        books.draw();
    }
}

#[test]
fn numbers_start_at_one_and_carry_how_far_all_are_decided() {
    let books = Books::open(NOW);
    assert_eq!(books.draw(), Entry { sequence: 1, decided_through: 0 });
    assert_eq!(books.draw(), Entry { sequence: 2, decided_through: 0 });
    books.stored(2);
    assert_eq!(books.draw(), Entry { sequence: 3, decided_through: 0 }, "1 is still open");
    books.stored(1);
    assert_eq!(books.draw(), Entry { sequence: 4, decided_through: 2 });
}

#[test]
fn an_idle_mark_says_so() {
    let books = Books::open(NOW);
    let mark = books.mark(NOW, false);
    assert_eq!((mark.instance, mark.started_at, mark.at), (books.instance(), NOW, NOW));
    assert_eq!((mark.decided_through, mark.refused.len(), mark.last), (0, 0, false));
}

#[test]
fn refused_numbers_become_ranges_in_any_order() {
    let books = Books::open(NOW);
    draw(&books, 9);
    for sequence in [5, 3, 4, 9, 1] {
        books.refused(sequence);
    }
    assert_eq!(books.mark(NOW, false).refused, [range(1, 1), range(3, 5), range(9, 9)]);
    assert_eq!(books.mark(NOW, false).decided_through, 1);
    books.stored(2);
    assert_eq!(books.mark(NOW, false).decided_through, 5);
}

#[test]
fn a_mark_that_failed_is_told_again_and_a_published_one_is_not() {
    let books = Books::open(NOW);
    draw(&books, 3);
    books.refused(1);
    let failed = books.mark(NOW, false);
    books.refused(2);
    let second = books.mark(NOW, false);
    assert_eq!(second.refused, [range(1, 2)]);
    books.refused(3);
    books.published(&second);
    assert_eq!(books.mark(NOW, false).refused, [range(3, 3)], "what came after the mark was made");
    // The first may turn out to have been published after all; nothing is told twice or lost by that.
    books.published(&failed);
    assert_eq!(books.mark(NOW, false).refused, [range(3, 3)]);
}

#[test]
fn only_the_end_is_called_the_last() {
    let books = Books::open(NOW);
    draw(&books, 1);
    assert!(!books.mark(NOW, true).last, "an attempt is open");
    books.stored(1);
    assert!(books.mark(NOW, true).last);
    assert!(!books.mark(NOW, false).last);
}

#[test]
fn what_does_not_fit_into_a_mark_follows_in_the_next() {
    let books = Books::open(NOW);
    let pairs = RANGES_PER_MARK_MAX + 2;
    draw(&books, 2 * pairs);
    for pair in 0..pairs as u64 {
        books.refused(2 * pair + 1);
        books.stored(2 * pair + 2);
    }
    let first = books.mark(NOW, true);
    assert_eq!(first.refused.len(), RANGES_PER_MARK_MAX);
    assert_eq!(first.decided_through, 2 * RANGES_PER_MARK_MAX as u64, "it stops before what it leaves out");
    assert!(!first.last);
    books.published(&first);
    let second = books.mark(NOW, true);
    assert_eq!((second.refused.len(), second.decided_through, second.last), (2, 2 * pairs as u64, true));
}

#[test]
fn the_ranges_kept_are_bounded() {
    let books = Books::open(NOW);
    draw(&books, 2 * RANGES_KEPT_MAX + 2);
    for index in 0..=RANGES_KEPT_MAX as u64 {
        books.refused(2 * index + 1);
    }
    assert_eq!(books.ledger().refused.len(), RANGES_KEPT_MAX);
}

#[test]
fn threads_that_draw_and_decide_at_once_leave_nothing_open() {
    const THREADS: u64 = 4;
    const EACH: u64 = 2_000;
    let books = Books::open(NOW);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let books = &books;
            scope.spawn(move || {
                for round in 0..EACH {
                    let entry = books.draw();
                    assert!(entry.decided_through < entry.sequence);
                    if (round + thread) % 3 == 0 { books.refused(entry.sequence) } else { books.stored(entry.sequence) }
                }
            });
        }
    });
    let ledger = books.ledger();
    assert_eq!((ledger.decided_through, ledger.open.len()), (THREADS * EACH, 0));
}
