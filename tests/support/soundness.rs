//! Whether a plan holds together: every index in range, every type as its neighbours expect.

use corelane::plan::{
    Arrangement, AsOfNode, Expr, ExprKind, FramedFunction, IntervalJoinNode, Node, Plan, RowsOrder, TableInput,
    TablePlan,
};
use corelane::types::{DataType, Schema};

/// Every column is there with its type; operands have one type; constants lie as their type says.
fn check_expr(expr: &Expr, input: &Schema) {
    expr.visit(&mut |expr| match &expr.kind {
        ExprKind::Column(index) => assert_eq!(input.fields[*index].data_type, expr.data_type),
        ExprKind::Literal(value) => assert!(value.fits(expr.data_type), "{expr:?}"),
        ExprKind::Compare { left, right, .. } => assert_eq!(left.data_type, right.data_type, "{expr:?}"),
        ExprKind::And(terms) | ExprKind::Or(terms) => {
            assert!(terms.len() >= 2 && terms.iter().all(|term| term.data_type == DataType::Boolean), "{expr:?}");
        }
        ExprKind::Case { branches, otherwise } => {
            let results = branches.iter().map(|(_, then)| then).chain(otherwise.as_deref());
            assert!(results.into_iter().all(|result| result.data_type == expr.data_type), "{expr:?}");
        }
        ExprKind::InList { arg, list, .. } => assert!(list.iter().all(|value| value.fits(arg.data_type)), "{expr:?}"),
        _ => {}
    });
}

/// What `Plan::validate` promises, and that every expression fits its input.
pub fn check_plan(plan: &Plan) {
    for (number, table) in plan.tables.iter().enumerate() {
        if let TableInput::Query(query) = &table.input {
            check_steps(query, &plan.tables[..number]);
            assert_eq!(query.output(), table.schema);
        }
    }
    check_steps(plan, &plan.tables);
}

fn check_steps(plan: &Plan, tables: &[TablePlan]) {
    assert!(plan.scan.projection.is_sorted());
    plan.validate().expect("the planner checked it");
    let is_time = |input: &Schema, column: usize| {
        assert_eq!(input.fields[column].data_type, DataType::Timestamp);
        assert!(plan.scan.event_time.is_some(), "a step depends on event time");
    };
    for (index, step) in plan.steps.iter().enumerate() {
        let input = plan.input_of(index);
        let types = |exprs: &[Expr]| {
            for (column, expr) in exprs.iter().enumerate() {
                check_expr(expr, &input);
                assert_eq!(step.schema.fields[column].data_type, expr.data_type);
            }
        };
        match &step.node {
            Node::Filter(condition) => {
                check_expr(condition, &input);
                assert_eq!(condition.data_type, DataType::Boolean);
                assert_eq!(step.schema, input);
            }
            Node::Project(exprs) => types(exprs),
            Node::Aggregate(node) => {
                types(&node.keys);
                for call in &node.calls {
                    let order = call.order.iter().map(|order| &order.expr);
                    let inside = call.arg.iter().chain(&call.second).chain(order);
                    inside.for_each(|expr| check_expr(expr, &input));
                }
                if let Some(column) = node.time_column() {
                    is_time(&input, column);
                }
            }
            Node::Rows(node) => {
                node.partition_by.iter().for_each(|key| check_expr(key, &input));
                node.calls.iter().filter_map(|call| call.arg.as_ref()).for_each(|arg| check_expr(arg, &input));
                if let RowsOrder::EventTime { column } = node.order {
                    is_time(&input, column);
                }
            }
            Node::Frames(node) => {
                let order = node.order.iter().map(|key| &key.expr);
                node.partition_by.iter().chain(order).for_each(|key| check_expr(key, &input));
                for (call, field) in node.calls.iter().zip(&step.schema.fields[input.len()..]) {
                    assert_eq!(call.data_type, field.data_type);
                    match &call.function {
                        FramedFunction::Aggregate(call) => {
                            call.arg.iter().chain(&call.second).for_each(|arg| check_expr(arg, &input));
                        }
                        FramedFunction::FirstValue(arg)
                        | FramedFunction::LastValue(arg)
                        | FramedFunction::NthValue(arg, _)
                        | FramedFunction::Shift { arg, .. } => {
                            check_expr(arg, &input);
                            assert_eq!(arg.data_type, call.data_type);
                        }
                        _ => {}
                    }
                }
                if let Arrangement::EventTime { column } = node.arrangement {
                    is_time(&input, column);
                }
            }
            Node::Lookup(node) => {
                let table = &tables[node.table].schema;
                for (key, column) in &node.keys {
                    check_expr(key, &input);
                    assert_eq!(table.fields[*column].data_type, key.data_type);
                }
                for (field, &column) in step.schema.fields[input.len()..].iter().zip(&node.columns) {
                    assert_eq!(table.fields[column].data_type, field.data_type);
                }
            }
            Node::Windows(node) => {
                let bounds = [node.column, input.len(), input.len() + 1];
                assert!(bounds.iter().all(|bound| step.schema.fields[*bound].data_type == DataType::Timestamp));
            }
            Node::First(node) => {
                is_time(&input, node.column);
                node.keys.iter().for_each(|key| check_expr(key, &input));
            }
            Node::Branches(node) => {
                for branch in &node.branches {
                    check_steps(&plan.branch(index, branch), tables);
                }
            }
            Node::IntervalJoin(IntervalJoinNode { keys, .. }) | Node::AsOf(AsOfNode { keys, .. }) => {
                for (left, right) in keys {
                    check_expr(left, &input);
                    check_expr(right, &input);
                    assert_eq!(left.data_type, right.data_type);
                }
                // Without event time rows meet at the end.
                let is_open = matches!(&step.node, Node::IntervalJoin(node) if node.is_open == (true, true));
                assert!(is_open || plan.scan.event_time.is_some());
            }
            Node::Rank(node) => {
                let columns = node.partition_by.iter().chain(&node.window);
                assert!(columns.chain(node.order.iter().map(|key| &key.column)).all(|&column| column < input.len()));
            }
            Node::Sort(keys) => assert!(keys.iter().all(|key| key.column < input.len())),
            Node::Limit { .. } => {}
        }
    }
}
