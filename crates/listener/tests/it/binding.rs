//! Opening sockets, and what is said where that fails.

use listener::{BindError, bind};

#[test]
fn port_0_takes_a_free_one() {
    let bound = bind("listen", "127.0.0.1:0".parse().unwrap()).unwrap();
    assert_ne!(bound.address().port(), 0);
}

#[test]
fn a_taken_port_names_the_setting_and_the_way_out() {
    let first = bind("listen", "127.0.0.1:0".parse().unwrap()).unwrap();
    let error = bind("api_listen", first.address()).unwrap_err();
    assert!(matches!(error, BindError::Taken { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!(
            "cannot listen on {}: the port is taken; stop the program that uses it or set `api_listen` to another port",
            first.address()
        )
    );
}

#[test]
fn an_address_of_another_machine_is_told_apart() {
    let error = bind("listen", "192.0.2.1:0".parse().unwrap()).unwrap_err();
    assert!(matches!(error, BindError::Elsewhere { .. }), "{error:?}");
}
