//! Functions that clients call to learn of the server, the connection and its objects.
//!
//! # Rules
//! 1. Each is as cheap as a look-up: anyone may call it on any number of rows.
//! 2. What PostgreSQL would change, these do not have.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, ListBuilder, StringArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type};
use datafusion::common::exec_err;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;

use super::objects::Objects;
use super::types;
use crate::error::QueryError;
use crate::request::ConnectionFacts;

/// As clients read it: what they expect of this release of PostgreSQL is here or refused.
const VERSION: &str = concat!("PostgreSQL 15.8 (gwbank ", env!("CARGO_PKG_VERSION"), ")");
/// The owner of everything.
pub(super) const OWNER: &str = "gwbank";
pub(super) const DATABASE: &str = "gwbank";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// The same truth for whatever it is asked.
    Truth(bool),
    /// A text that is always the same.
    Fixed(&'static str),
    /// A text that there is none of.
    NoText,
    /// A whole number that is always the same.
    Number(i64),
    User,
    Process,
    Setting,
    /// `set_config` of what nothing depends on.
    SettingWithoutEffect,
    Schemas,
    NoTexts,
    FormatType,
    TypeOid,
    ClassOid,
    ClassName,
    RoutineResult,
    RoutineArguments,
    ObjectComment,
    ColumnComment,
    Identifiers,
    SizePretty,
    QuoteIdentifier,
}

const FUNCTIONS: &[(&str, Kind)] = &[
    ("version", Kind::Fixed(VERSION)),
    ("current_database", Kind::Fixed(DATABASE)),
    ("current_catalog", Kind::Fixed(DATABASE)),
    ("current_schema", Kind::Fixed("public")),
    ("current_schemas", Kind::Schemas),
    ("current_user", Kind::User),
    ("session_user", Kind::User),
    ("current_role", Kind::User),
    ("user", Kind::User),
    ("current_setting", Kind::Setting),
    // What drivers switch off before they ask the catalogs; SET is for the rest.
    ("set_config", Kind::SettingWithoutEffect),
    ("pg_backend_pid", Kind::Process),
    ("pg_get_userbyid", Kind::Fixed(OWNER)),
    ("pg_encoding_to_char", Kind::Fixed("UTF8")),
    ("pg_client_encoding", Kind::Fixed("UTF8")),
    ("pg_is_in_recovery", Kind::Truth(false)),
    ("pg_table_is_visible", Kind::Truth(true)),
    ("pg_type_is_visible", Kind::Truth(true)),
    ("pg_function_is_visible", Kind::Truth(true)),
    ("pg_collation_is_visible", Kind::Truth(true)),
    ("pg_opclass_is_visible", Kind::Truth(true)),
    ("pg_relation_is_publishable", Kind::Truth(false)),
    ("pg_relation_is_updatable", Kind::Number(0)),
    ("pg_is_other_temp_schema", Kind::Truth(false)),
    ("pg_my_temp_schema", Kind::Number(0)),
    ("has_table_privilege", Kind::Truth(true)),
    ("has_any_column_privilege", Kind::Truth(true)),
    ("has_column_privilege", Kind::Truth(true)),
    ("has_schema_privilege", Kind::Truth(true)),
    ("has_database_privilege", Kind::Truth(true)),
    ("has_function_privilege", Kind::Truth(true)),
    ("pg_has_role", Kind::Truth(true)),
    ("pg_get_expr", Kind::NoText),
    ("pg_get_constraintdef", Kind::NoText),
    ("pg_get_indexdef", Kind::NoText),
    ("pg_get_viewdef", Kind::NoText),
    ("pg_get_ruledef", Kind::NoText),
    ("pg_get_triggerdef", Kind::NoText),
    ("pg_get_functiondef", Kind::NoText),
    ("pg_get_function_sqlbody", Kind::NoText),
    ("pg_get_function_arg_default", Kind::NoText),
    ("pg_get_function_result", Kind::RoutineResult),
    ("pg_get_function_arguments", Kind::RoutineArguments),
    ("pg_get_function_identity_arguments", Kind::RoutineArguments),
    ("pg_get_partkeydef", Kind::NoText),
    ("pg_get_serial_sequence", Kind::NoText),
    ("pg_get_statisticsobjdef_columns", Kind::NoText),
    ("pg_tablespace_location", Kind::NoText),
    ("shobj_description", Kind::NoText),
    ("inet_server_addr", Kind::NoText),
    ("inet_client_addr", Kind::NoText),
    // Nobody locks anything.
    ("pg_advisory_unlock_all", Kind::NoText),
    ("pg_table_size", Kind::Number(0)),
    ("pg_relation_size", Kind::Number(0)),
    ("pg_total_relation_size", Kind::Number(0)),
    ("pg_indexes_size", Kind::Number(0)),
    ("pg_database_size", Kind::Number(0)),
    ("pg_size_pretty", Kind::SizePretty),
    ("format_type", Kind::FormatType),
    ("to_regtype", Kind::TypeOid),
    ("to_regclass", Kind::ClassOid),
    ("gwbank_no_texts", Kind::NoTexts),
    ("gwbank_regclass_oid", Kind::ClassOid),
    ("gwbank_regclass_name", Kind::ClassName),
    ("obj_description", Kind::ObjectComment),
    ("col_description", Kind::ColumnComment),
    ("quote_ident", Kind::QuoteIdentifier),
    ("parse_ident", Kind::Identifiers),
];

pub(super) fn functions(objects: &Arc<Objects>) -> Vec<ScalarUDF> {
    let function = |&(name, kind): &(&'static str, Kind)| {
        // Stable: some hang on the connection. Of no arguments or any.
        let signature = Signature::one_of(
            vec![
                datafusion::logical_expr::TypeSignature::Nullary,
                datafusion::logical_expr::TypeSignature::VariadicAny,
            ],
            Volatility::Stable,
        );
        ScalarUDF::new_from_impl(CatalogFunction { name, kind, signature, objects: objects.clone() })
    };
    FUNCTIONS.iter().map(function).collect()
}

#[derive(Debug)]
struct CatalogFunction {
    name: &'static str,
    kind: Kind,
    signature: Signature,
    objects: Arc<Objects>,
}

// There is one set of objects a process.
impl PartialEq for CatalogFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
impl Eq for CatalogFunction {}
impl Hash for CatalogFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for CatalogFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.kind {
            Kind::Truth(_) => DataType::Boolean,
            Kind::Number(_) => DataType::Int64,
            Kind::Process | Kind::TypeOid | Kind::ClassOid => DataType::Int32,
            Kind::Schemas | Kind::NoTexts | Kind::Identifiers => DataType::new_list(DataType::Utf8, true),
            _ => DataType::Utf8,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let facts = ConnectionFacts::of(&args.config_options);
        let text = |text: Option<&str>| Ok(ColumnarValue::Scalar(ScalarValue::Utf8(text.map(str::to_owned))));
        match self.kind {
            Kind::Truth(truth) => Ok(ColumnarValue::Scalar(ScalarValue::Boolean(Some(truth)))),
            Kind::Fixed(fixed) => text(Some(fixed)),
            Kind::NoText => text(None),
            Kind::Number(number) => Ok(ColumnarValue::Scalar(ScalarValue::Int64(Some(number)))),
            Kind::User => text(Some(facts.map_or(OWNER, |facts| &facts.user))),
            Kind::Process => {
                Ok(ColumnarValue::Scalar(ScalarValue::Int32(Some(facts.map_or(0, |facts| facts.process)))))
            }
            Kind::Schemas => Ok(ColumnarValue::Scalar(list(&["pg_catalog", "public"]))),
            Kind::NoTexts => Ok(ColumnarValue::Scalar(list(&[]))),
            _ => {
                let arrays =
                    args.args.iter().map(|value| value.to_array(args.number_rows)).collect::<Result<Vec<_>>>()?;
                self.by_row(&arrays, args.number_rows, facts.map(AsRef::as_ref)).map(ColumnarValue::Array)
            }
        }
    }
}

fn list(texts: &[&str]) -> ScalarValue {
    let mut names = ListBuilder::new(StringBuilder::new());
    names.append_value(texts.iter().map(|text| Some(*text)));
    ScalarValue::List(Arc::new(names.finish()))
}

impl CatalogFunction {
    fn by_row(&self, arrays: &[ArrayRef], rows: usize, facts: Option<&ConnectionFacts>) -> Result<ArrayRef> {
        if arrays.is_empty() {
            return exec_err!("{} needs an argument", self.name);
        }
        let texts = texts(&arrays[0])?;
        let text = |row: usize| texts.is_valid(row).then(|| texts.value(row));
        let number = |row: usize| text(row).and_then(|text| text.trim().parse::<i32>().ok());
        let objects = &self.objects;
        let named = |name: &dyn Fn(usize) -> Option<String>| -> ArrayRef {
            Arc::new((0..rows).map(name).collect::<StringArray>())
        };
        let numbered =
            |oid: &dyn Fn(usize) -> Option<i32>| -> ArrayRef { Arc::new((0..rows).map(oid).collect::<Int32Array>()) };
        Ok(match self.kind {
            Kind::FormatType => {
                named(&|row| number(row).map(|oid| types::sql_name(oid).unwrap_or_else(|| "???".to_owned())))
            }
            Kind::TypeOid => numbered(&|row| text(row).and_then(types::named).map(|known| known.oid)),
            Kind::ClassOid => numbered(&|row| text(row).and_then(|name| objects.oid_of(name))),
            Kind::SettingWithoutEffect => {
                let Some(values) = arrays.get(1) else { return exec_err!("set_config needs a name and a value") };
                let values = self::texts(values)?;
                if let Some(other) = (0..rows).filter_map(text).find(|name| !name.eq_ignore_ascii_case("jit")) {
                    let what = format!("set_config of {other:?}; SET is for the settings of a connection");
                    return Err(QueryError::ReadOnly { what }.into_engine());
                }
                named(&|row| values.is_valid(row).then(|| values.value(row).to_owned()))
            }
            Kind::ClassName => named(&|row| {
                let found = number(row).and_then(|oid| objects.name_of(oid));
                found.or_else(|| text(row).map(str::to_owned))
            }),
            Kind::ObjectComment => named(&|row| number(row).and_then(|oid| objects.comment(oid)).map(str::to_owned)),
            Kind::RoutineResult => named(&|row| types::sql_name(objects.routine(number(row)?)?.result_oid())),
            Kind::RoutineArguments => {
                named(&|row| number(row).and_then(|oid| objects.routine(oid)).map(|known| known.arguments().to_owned()))
            }
            Kind::Identifiers => {
                let mut names = ListBuilder::new(StringBuilder::new());
                for row in 0..rows {
                    names.append_option(text(row).map(|name| identifiers(name).into_iter().map(Some)));
                }
                Arc::new(names.finish())
            }
            Kind::ColumnComment => {
                let Some(second) = arrays.get(1) else { return exec_err!("{} needs two arguments", self.name) };
                let numbers = cast(second, &DataType::Int32)?;
                let numbers = numbers.as_primitive::<Int32Type>();
                named(&|row| {
                    let relation = objects.by_oid(number(row)?)?;
                    relation.column_comment(numbers.value(row)).map(str::to_owned)
                })
            }
            Kind::SizePretty => named(&|row| text(row).map(|bytes| format!("{bytes} bytes"))),
            Kind::QuoteIdentifier => named(&|row| text(row).map(quoted)),
            Kind::Setting => {
                let missing_ok = arrays.len() > 1;
                for row in 0..rows {
                    let name = text(row).unwrap_or_default();
                    if !missing_ok && setting(facts, name).is_none() {
                        return exec_err!("unrecognized configuration parameter \"{name}\"");
                    }
                }
                named(&|row| setting(facts, text(row)?).map(str::to_owned))
            }
            _ => return exec_err!("{} is not evaluated by row", self.name),
        })
    }
}

/// What the connection set; beyond that what clients ask of every server.
fn setting<'a>(facts: Option<&'a ConnectionFacts>, name: &str) -> Option<&'a str> {
    let of_connection = facts.and_then(|facts| facts.setting(name));
    of_connection.or(match name {
        "default_table_access_method" => Some("gwbank"),
        "server_version_num" => Some("150008"),
        "server_version" => Some("15.8"),
        _ => None,
    })
}

fn texts(array: &ArrayRef) -> Result<StringArray> {
    Ok(cast(array, &DataType::Utf8)?.as_string::<i32>().clone())
}

/// `a."B c"` as its names, folded as SQL folds them.
fn identifiers(name: &str) -> Vec<String> {
    let (mut names, mut in_quotes) = (vec![String::new()], false);
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        let last = names.len() - 1;
        match letter {
            '"' if in_quotes && letters.next_if_eq(&'"').is_some() => names[last].push('"'),
            '"' => in_quotes = !in_quotes,
            '.' if !in_quotes => names.push(String::new()),
            letter if in_quotes => names[last].push(letter),
            letter if letter.is_whitespace() => {}
            letter => names[last].extend(letter.to_lowercase()),
        }
    }
    names
}

fn quoted(name: &str) -> String {
    let is_plain = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        assert_eq!(identifiers("Public.\"Odd \"\"x\"\".y\""), ["public", "Odd \"x\".y"]);
        assert_eq!(identifiers("readings"), ["readings"]);
        assert_eq!(quoted("Odd"), "\"Odd\"");
    }
}
