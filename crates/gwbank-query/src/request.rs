//! What a query is asked with beside its text, and what is told of it before it runs.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result as EngineResult;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};
use gwbank_model::{Timestamp, Zone};

use crate::carried::carried_by_options;
use crate::config::QueryConfig;
use crate::connection_views::ConnectionView;
use crate::error::QueryError;
use crate::known_at::KnownAt;

/// A statement, its parameters, and who asks.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub sql: String,
    /// Who asks, by the name that the door knows: users take turns. All without a name are one.
    pub user: String,
    /// Types of `$1`, `$2`, … as the client declares them; `None` where it leaves them to the engine.
    pub types: Vec<Option<DataType>>,
    /// Values of the parameters, each an array of one.
    pub values: Vec<ArrayRef>,
    /// Every table as it was known at this instant; `None` is now.
    pub as_known_at: Option<Timestamp>,
    /// Of a door that has connections.
    pub connection: Option<Arc<ConnectionFacts>>,
}

impl Request {
    pub fn of(user: &str, sql: &str) -> Self {
        Self { user: user.to_owned(), ..Self::from(sql) }
    }
}

impl From<&str> for Request {
    fn from(sql: &str) -> Self {
        Self { sql: sql.to_owned(), ..Self::default() }
    }
}

/// The setting of a connection that says as of when its tables are.
const SETTING: &str = "gwbank.as_known_at";

impl Request {
    /// As of when tables are, by the request or by its connection.
    pub(crate) fn known_at(&self, session: &SessionState) -> Result<Option<KnownAt>, QueryError> {
        let began = session.execution_props().query_execution_start_time;
        let now = began.map_or(Timestamp::MAX, |began| Timestamp::from_micros(began.timestamp_micros()));
        if let Some(at) = self.as_known_at {
            return KnownAt::new(at, now).map(Some);
        }
        let set = self.connection.as_ref().and_then(|connection| connection.setting(SETTING));
        set.filter(|text| !text.is_empty()).map(|text| KnownAt::parse(text, now)).transpose()
    }
}

/// The setting of a connection that says by which clocks its times are.
const ZONE_SETTING: &str = "TimeZone";

impl Request {
    pub(crate) fn is_of_postgresql(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.dialect == Dialect::PostgreSql)
    }

    /// Of the connection, or of the server.
    pub(crate) fn zone(&self, config: &QueryConfig) -> Result<Zone, QueryError> {
        let set = self.connection.as_ref().and_then(|connection| connection.setting(ZONE_SETTING));
        let name = set.unwrap_or(&config.time_zone);
        Zone::of_postgresql(name).ok_or_else(|| QueryError::Invalid(format!("time zone {name:?} is not recognized")))
    }
}

/// What `current_user`, `current_setting` and the like tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionFacts {
    pub user: String,
    pub process: i32,
    pub settings: Vec<(String, String)>,
    pub views: Arc<Vec<ConnectionView>>,
    pub dialect: Dialect,
}

/// Whose words a connection's statements are in, and whose names it expects its columns to have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dialect {
    /// What only PostgreSQL writes is put in the engine's words; `min(value)` is a column `min`.
    #[default]
    PostgreSql,
    /// As at doors without connections: `min(value)` is a column `min(readings.value)`, so that no two have one name.
    Engine,
}

impl ConnectionFacts {
    pub(crate) fn setting(&self, name: &str) -> Option<&str> {
        let found = self.settings.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Of the query that these options are of.
    pub(crate) fn of(options: &ConfigOptions) -> Option<&Arc<ConnectionFacts>> {
        options.extensions.get::<FactsOption>().map(|option| &option.0)
    }
}

/// Parameters and columns of a statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// Of `$1`, `$2`, …; `None` where any type would do.
    pub parameters: Vec<Option<DataType>>,
    pub schema: SchemaRef,
}

/// As many as the protocol counts.
const PARAMETERS_MAX: usize = 65_535;

impl Description {
    pub(crate) fn of(plan: &LogicalPlan, declared: &[Option<DataType>]) -> Result<Self, QueryError> {
        let invalid = |error: datafusion::error::DataFusionError| QueryError::Invalid(error.strip_backtrace());
        let inferred = plan.get_parameter_types().map_err(invalid)?;
        let mut parameters: Vec<Option<DataType>> = declared.to_vec();
        let wanted = types_wanted(plan).map_err(invalid)?;
        for (name, inferred) in inferred {
            let inferred = inferred.or_else(|| wanted.get(&name).cloned());
            let number = number_of(&name)?;
            if number > parameters.len() {
                parameters.resize(number, None);
            }
            let known = &mut parameters[number - 1];
            if known.is_none() {
                *known = inferred;
            }
        }
        // The types of columns may hang on those of parameters.
        let nulls = parameters.iter().map(|known| match known {
            Some(known) => ScalarValue::try_from(known).unwrap_or(ScalarValue::Null),
            None => ScalarValue::Null,
        });
        let nulls: Vec<ScalarValue> = nulls.collect();
        let typed = if nulls.is_empty() { Ok(plan.clone()) } else { plan.clone().with_param_values(nulls) };
        let schema = typed.as_ref().unwrap_or(plan).schema().as_arrow().clone();
        Ok(Self { parameters, schema: Arc::new(schema) })
    }
}

/// `$1::int`, `LIMIT $1` and `x = ANY($1)` say what is wanted, which the engine does not make use of.
fn types_wanted(plan: &LogicalPlan) -> EngineResult<HashMap<String, DataType>> {
    let mut types = HashMap::new();
    plan.apply_with_subqueries(|plan| {
        if let LogicalPlan::Limit(limit) = plan {
            for bound in [&limit.skip, &limit.fetch].into_iter().flatten() {
                if let Expr::Placeholder(parameter) = bound.as_ref() {
                    types.insert(parameter.id.clone(), DataType::Int64);
                }
            }
        }
        let inputs = plan.inputs();
        let columns = inputs.first().map_or(plan.schema(), |input| input.schema());
        plan.apply_expressions(|expr| {
            expr.apply(|expr| {
                match expr {
                    Expr::Cast(cast) => {
                        if let Expr::Placeholder(parameter) = cast.expr.as_ref() {
                            types.insert(parameter.id.clone(), cast.field.data_type().clone());
                        }
                    }
                    Expr::ScalarFunction(call) if call.name() == "array_has" => {
                        if let [Expr::Placeholder(parameter), element] = call.args.as_slice()
                            && let Ok(element) = element.get_type(columns)
                        {
                            types.insert(parameter.id.clone(), DataType::new_list(element, true));
                        }
                    }
                    _ => {}
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(types)
}

fn number_of(name: &str) -> Result<usize, QueryError> {
    let number = name.strip_prefix('$').and_then(|digits| digits.parse().ok());
    number
        .filter(|number| (1..=PARAMETERS_MAX).contains(number))
        .ok_or_else(|| QueryError::Invalid(format!("there is no parameter {name}: parameters are $1, $2, …")))
}

/// Puts the values in the place of the parameters.
pub(crate) fn bind(plan: LogicalPlan, values: &[ArrayRef]) -> EngineResult<LogicalPlan> {
    if values.is_empty() {
        return Ok(plan);
    }
    let scalars = values.iter().map(|value| ScalarValue::try_from_array(value, 0)).collect::<EngineResult<Vec<_>>>()?;
    plan.with_param_values(ParamValues::from(scalars))
}

carried_by_options!(FactsOption(Arc<ConnectionFacts>), "gwbank_connection");
