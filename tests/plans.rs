//! EXPLAIN and the result's columns of typical queries, word for word.

#[path = "support/soundness.rs"]
mod soundness;
mod support;

#[test]
fn queries_have_the_expected_plans() {
    support::check("plans.txt", 30, |query| match support::plan(query) {
        Ok(script) => script
            .jobs
            .iter()
            .map(|job| {
                soundness::check_plan(&job.plan);
                let columns: Vec<String> = job
                    .plan
                    .output()
                    .fields
                    .iter()
                    .map(|field| format!("{} {}", field.name, field.data_type))
                    .collect();
                format!("{}-> {} ({})\n", job.plan.explain(), job.sink.name, columns.join(", "))
            })
            .collect(),
        Err(text) => text,
    });
}
