//! What a user reads after a wrong query: message, place, caret and help, word for word.

mod support;

#[test]
fn wrong_queries_say_what_is_wrong_and_where() {
    support::check("sql_errors.txt", 100, |query| match support::plan(query) {
        Ok(_) => "no error".into(),
        Err(text) => text,
    });
}
