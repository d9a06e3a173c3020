//! The tables of `pg_catalog`. Columns are those of PostgreSQL 15, as far as clients ask for them.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_empty_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::error::Result;

use super::functions::{DATABASE, OWNER};
use super::objects::{
    INFORMATION_SCHEMA_OID, Objects, PG_CATALOG_OID, PG_CLASS_OID, PG_PROC_OID, PUBLIC_OID, Relation,
};
use super::types::{self, TYPES};
use crate::error::QueryError;
use crate::tables::{BatchOf, Rows, SmallTable, Wanted};

/// The one owner and the one access method.
const OWNER_OID: i32 = 10;
const ACCESS_METHOD_OID: i32 = 2;
const ACCESS_METHOD: &str = "gwbank";
const DATABASE_OID: i32 = 16_383;
/// PostgreSQL's own number of `pg_default`.
const TABLESPACE_OID: i32 = 1663;

/// In the place of the table function `pg_get_keywords`.
pub(super) const KEYWORDS: &str = "gwbank_keywords";

type Make = fn(&Objects) -> Result<RecordBatch, ArrowError>;

/// Tables that hold something.
const FILLED: &[(&str, Make)] = &[
    ("pg_namespace", namespaces),
    ("pg_class", classes),
    ("pg_attribute", attributes),
    ("pg_type", types),
    ("pg_description", descriptions),
    ("pg_am", access_methods),
    ("pg_database", databases),
    ("pg_roles", roles),
    ("pg_user", users),
    ("pg_tables", tables),
    ("pg_views", views),
    ("pg_settings", settings),
    ("pg_proc", routines),
    ("pg_tablespace", tablespaces),
    ("information_schema_schemata", schemata),
    ("information_schema_tables", listed_tables),
    ("information_schema_columns", listed_columns),
    (KEYWORDS, keywords),
];

/// Tables of what there is nothing of: names, and columns with `i` for numbers, `t` for texts, `b` for truths, `l` for
/// lists of numbers, `a` for lists of texts.
const EMPTY: &[(&str, &str)] = &[
    (
        "information_schema_check_constraints",
        "constraint_catalog:t constraint_schema:t constraint_name:t check_clause:t",
    ),
    (
        "information_schema_constraint_column_usage",
        "table_catalog:t table_schema:t table_name:t column_name:t constraint_catalog:t constraint_schema:t constraint_name:t",
    ),
    (
        "information_schema_key_column_usage",
        "constraint_catalog:t constraint_schema:t constraint_name:t table_catalog:t table_schema:t table_name:t column_name:t ordinal_position:i position_in_unique_constraint:i",
    ),
    (
        "information_schema_referential_constraints",
        "constraint_catalog:t constraint_schema:t constraint_name:t unique_constraint_catalog:t unique_constraint_schema:t unique_constraint_name:t match_option:t update_rule:t delete_rule:t",
    ),
    (
        "information_schema_routine_privileges",
        "grantor:t grantee:t specific_catalog:t specific_schema:t specific_name:t routine_catalog:t routine_schema:t routine_name:t privilege_type:t is_grantable:t",
    ),
    (
        "information_schema_sequences",
        "sequence_catalog:t sequence_schema:t sequence_name:t data_type:t start_value:t minimum_value:t maximum_value:t increment:t cycle_option:t",
    ),
    (
        "information_schema_table_constraints",
        "constraint_catalog:t constraint_schema:t constraint_name:t table_catalog:t table_schema:t table_name:t constraint_type:t is_deferrable:t initially_deferred:t enforced:t",
    ),
    (
        "information_schema_table_privileges",
        "grantor:t grantee:t table_catalog:t table_schema:t table_name:t privilege_type:t is_grantable:t with_hierarchy:t",
    ),
    (
        "information_schema_triggers",
        "trigger_catalog:t trigger_schema:t trigger_name:t event_manipulation:t event_object_schema:t event_object_table:t action_statement:t action_timing:t",
    ),
    (
        "pg_aggregate",
        "aggfnoid:i aggkind:t aggnumdirectargs:i aggtransfn:t aggfinalfn:t aggsortop:i aggtranstype:i agginitval:t",
    ),
    ("pg_amop", "oid:i amopfamily:i amoplefttype:i amoprighttype:i amopstrategy:i amopopr:i amopmethod:i"),
    ("pg_available_extensions", "name:t default_version:t installed_version:t comment:t"),
    ("pg_db_role_setting", "setdatabase:i setrole:i setconfig:a"),
    ("pg_default_acl", "oid:i defaclrole:i defaclnamespace:i defaclobjtype:t defaclacl:a"),
    ("pg_group", "groname:t grosysid:i grolist:l"),
    ("pg_opfamily", "oid:i opfmethod:i opfname:t opfnamespace:i opfowner:i"),
    ("pg_seclabels", "objoid:i classoid:i objsubid:i objtype:t objname:t provider:t label:t"),
    ("pg_shdepend", "dbid:i classid:i objid:i objsubid:i refclassid:i refobjid:i deptype:t"),
    ("pg_subscription", "oid:i subdbid:i subname:t subowner:i subenabled:b"),
    ("pg_timezone_names", "name:t abbrev:t utc_offset:t is_dst:b"),
    ("pg_user_mappings", "umid:i srvid:i srvname:t umuser:i usename:t umoptions:a"),
    ("pg_attrdef", "oid:i adrelid:i adnum:i adbin:t"),
    ("pg_auth_members", "roleid:i member:i grantor:i admin_option:b"),
    ("pg_cast", "oid:i castsource:i casttarget:i castfunc:i castcontext:t castmethod:t"),
    (
        "pg_collation",
        "oid:i collname:t collnamespace:i collowner:i collprovider:t collisdeterministic:b collencoding:i collcollate:t collctype:t",
    ),
    (
        "pg_constraint",
        "oid:i conname:t connamespace:i contype:t condeferrable:b condeferred:b convalidated:b conrelid:i contypid:i conindid:i conparentid:i confrelid:i confupdtype:t confdeltype:t confmatchtype:t conislocal:b coninhcount:i connoinherit:b conkey:l confkey:l conpfeqop:l conbin:t",
    ),
    (
        "pg_conversion",
        "oid:i conname:t connamespace:i conowner:i conforencoding:i contoencoding:i conproc:t condefault:b",
    ),
    ("pg_depend", "classid:i objid:i objsubid:i refclassid:i refobjid:i refobjsubid:i deptype:t"),
    ("pg_enum", "oid:i enumtypid:i enumsortorder:i enumlabel:t"),
    ("pg_event_trigger", "oid:i evtname:t evtevent:t evtowner:i evtfoid:i evtenabled:t evttags:a"),
    (
        "pg_extension",
        "oid:i extname:t extowner:i extnamespace:i extrelocatable:b extversion:t extconfig:l extcondition:a",
    ),
    ("pg_foreign_data_wrapper", "oid:i fdwname:t fdwowner:i fdwhandler:i fdwvalidator:i fdwacl:a fdwoptions:a"),
    ("pg_foreign_server", "oid:i srvname:t srvowner:i srvfdw:i srvtype:t srvversion:t srvacl:a srvoptions:a"),
    ("pg_foreign_table", "ftrelid:i ftserver:i ftoptions:a"),
    (
        "pg_index",
        "indexrelid:i indrelid:i indnatts:i indnkeyatts:i indisunique:b indnullsnotdistinct:b indisprimary:b indisexclusion:b indimmediate:b indisclustered:b indisvalid:b indcheckxmin:b indisready:b indislive:b indisreplident:b indkey:l indcollation:l indclass:l indoption:l indexprs:t indpred:t",
    ),
    ("pg_inherits", "inhrelid:i inhparent:i inhseqno:i inhdetachpending:b"),
    (
        "pg_language",
        "oid:i lanname:t lanowner:i lanispl:b lanpltrusted:b lanplcallfoid:i laninline:i lanvalidator:i lanacl:a",
    ),
    ("pg_locks", "locktype:t database:i relation:i pid:i mode:t granted:b"),
    ("pg_matviews", "schemaname:t matviewname:t matviewowner:t definition:t"),
    (
        "pg_opclass",
        "oid:i opcmethod:i opcname:t opcnamespace:i opcowner:i opcfamily:i opcintype:i opcdefault:b opckeytype:i",
    ),
    ("pg_operator", "oid:i oprname:t oprnamespace:i oprleft:i oprright:i oprresult:i"),
    ("pg_partitioned_table", "partrelid:i partstrat:t partnatts:i"),
    ("pg_policy", "oid:i polname:t polrelid:i polcmd:t polpermissive:b polroles:l polqual:t polwithcheck:t"),
    ("pg_policies", "schemaname:t tablename:t policyname:t permissive:t roles:a cmd:t qual:t with_check:t"),
    ("pg_prepared_statements", "name:t statement:t prepare_time:t"),
    ("pg_publication", "oid:i pubname:t pubowner:i puballtables:b"),
    ("pg_publication_namespace", "oid:i pnpubid:i pnnspid:i"),
    ("pg_publication_rel", "oid:i prpubid:i prrelid:i prqual:t prattrs:l"),
    ("pg_range", "rngtypid:i rngsubtype:i rngmultitypid:i"),
    ("pg_rewrite", "oid:i rulename:t ev_class:i ev_type:t ev_enabled:t is_instead:b"),
    ("pg_rules", "schemaname:t tablename:t rulename:t definition:t"),
    ("pg_sequence", "seqrelid:i seqtypid:i seqstart:i seqincrement:i seqmax:i seqmin:i seqcache:i seqcycle:b"),
    (
        "pg_sequences",
        "schemaname:t sequencename:t sequenceowner:t data_type:t start_value:i min_value:i max_value:i increment_by:i cycle:b cache_size:i last_value:i",
    ),
    ("pg_shdescription", "objoid:i classoid:i description:t"),
    ("pg_stat_activity", "datid:i datname:t pid:i usename:t application_name:t state:t query:t"),
    ("pg_stat_user_tables", "relid:i schemaname:t relname:t n_live_tup:i"),
    ("pg_statistic_ext", "oid:i stxrelid:i stxname:t stxnamespace:i stxowner:i stxstattarget:i stxkeys:l stxkind:a"),
    (
        "pg_trigger",
        "oid:i tgrelid:i tgparentid:i tgname:t tgfoid:i tgtype:i tgenabled:t tgisinternal:b tgconstrrelid:i tgconstrindid:i tgconstraint:i tgdeferrable:b tginitdeferred:b tgnargs:i tgattr:l tgargs:t tgqual:t tgoldtable:t tgnewtable:t",
    ),
    ("pg_ts_config", "oid:i cfgname:t cfgnamespace:i"),
    ("pg_indexes", "schemaname:t tablename:t indexname:t tablespace:t indexdef:t"),
];

/// In the place of a table of `information_schema`, whose columns the engine names otherwise.
pub(super) fn of_information_schema(name: &str) -> Option<String> {
    let name = format!("information_schema_{name}");
    exists(&name).then_some(name)
}

/// Columns of a table of the catalogs.
pub(super) fn columns(name: &str) -> Option<SchemaRef> {
    if let Some((_, make)) = FILLED.iter().find(|(known, _)| *known == name) {
        return make(&Objects::default()).ok().map(|batch| batch.schema());
    }
    let (_, columns) = EMPTY.iter().find(|(known, _)| *known == name)?;
    Some(Arc::new(Schema::new(fields(columns))))
}

pub(super) fn exists(name: &str) -> bool {
    FILLED.iter().any(|(known, _)| *known == name) || is_always_empty(name)
}

/// Whether a table of the name is there and holds nothing, ever.
pub(super) fn is_always_empty(name: &str) -> bool {
    EMPTY.iter().any(|(known, _)| *known == name)
}

pub(super) fn table(name: &str, objects: &Arc<Objects>) -> Result<Option<Arc<dyn TableProvider>>> {
    if let Some((_, make)) = FILLED.iter().find(|(known, _)| *known == name) {
        return Ok(Some(SmallTable::shared(Listing { make: *make, objects: objects.clone() })));
    }
    let Some((_, columns)) = EMPTY.iter().find(|(known, _)| *known == name) else { return Ok(None) };
    Ok(Some(SmallTable::shared(Nothing(Arc::new(Schema::new(fields(columns)))))))
}

#[derive(Debug)]
struct Listing {
    make: Make,
    objects: Arc<Objects>,
}

#[async_trait]
impl Rows for Listing {
    fn schema(&self) -> SchemaRef {
        (self.make)(&Objects::default()).map_or_else(|_| Arc::new(Schema::empty()), |batch| batch.schema())
    }

    async fn load(&self, _: Wanted) -> Result<RecordBatch, QueryError> {
        (self.make)(&self.objects).map_err(|error| QueryError::Internal(error.to_string()))
    }
}

#[derive(Debug)]
struct Nothing(SchemaRef);

#[async_trait]
impl Rows for Nothing {
    fn schema(&self) -> SchemaRef {
        self.0.clone()
    }

    async fn load(&self, _: Wanted) -> Result<RecordBatch, QueryError> {
        let columns: Vec<ArrayRef> = self.0.fields().iter().map(|field| new_empty_array(field.data_type())).collect();
        RecordBatch::try_new(self.0.clone(), columns).map_err(|error| QueryError::Internal(error.to_string()))
    }
}

fn fields(columns: &str) -> Vec<Field> {
    let field = |column: &str| {
        let (name, kind) = column.split_once(':').unwrap_or((column, "t"));
        let arrow = match kind {
            "i" => DataType::Int32,
            "b" => DataType::Boolean,
            "l" => DataType::new_list(DataType::Int32, true),
            "a" => DataType::new_list(DataType::Utf8, true),
            _ => DataType::Utf8View,
        };
        Field::new(name, arrow, true)
    };
    columns.split_whitespace().map(field).collect()
}

fn namespaces(_: &Objects) -> Result<RecordBatch, ArrowError> {
    let rows = [(PG_CATALOG_OID, "pg_catalog"), (PUBLIC_OID, "public"), (INFORMATION_SCHEMA_OID, "information_schema")];
    BatchOf::new(&rows)
        .whole("oid", |row| Some(row.0))
        .text("nspname", |row| Some(row.1))
        .whole("nspowner", |_| Some(OWNER_OID))
        .no_texts("nspacl")
        .finish()
}

fn classes(objects: &Objects) -> Result<RecordBatch, ArrowError> {
    let rows = objects.relations();
    BatchOf::new(&rows)
        .whole("oid", |row| Some(row.oid))
        .text("relname", |row| Some(row.name.as_str()))
        .whole("relnamespace", |_| Some(PUBLIC_OID))
        .whole("reltype", |_| Some(0))
        .whole("reloftype", |_| Some(0))
        .whole("relowner", |_| Some(OWNER_OID))
        .whole("relam", |row| Some(if row.is_view { 0 } else { ACCESS_METHOD_OID }))
        .whole("relfilenode", |_| Some(0))
        .whole("reltablespace", |_| Some(0))
        .whole("relpages", |_| Some(0))
        .number("reltuples", |_| Some(-1.0))
        .whole("relallvisible", |_| Some(0))
        .whole("reltoastrelid", |_| Some(0))
        .truth("relhasindex", |_| false)
        .truth("relisshared", |_| false)
        .text("relpersistence", |_| Some("p"))
        .text("relkind", |row| Some(if row.is_view { "v" } else { "r" }))
        .whole("relnatts", |row| Some(row.schema.fields().len() as i32))
        .whole("relchecks", |_| Some(0))
        .truth("relhasrules", |_| false)
        .truth("relhastriggers", |_| false)
        .truth("relhassubclass", |_| false)
        .truth("relrowsecurity", |_| false)
        .truth("relforcerowsecurity", |_| false)
        .truth("relispopulated", |_| true)
        .text("relreplident", |_| Some("n"))
        .truth("relispartition", |_| false)
        .whole("relrewrite", |_| Some(0))
        .whole("relfrozenxid", |_| Some(0))
        .whole("relminmxid", |_| Some(0))
        .no_texts("relacl")
        .no_texts("reloptions")
        .text("relpartbound", |_| None::<&str>)
        .finish()
}

struct Attribute {
    relation: Relation,
    index: usize,
}

impl Attribute {
    fn field(&self) -> &Field {
        self.relation.schema.field(self.index)
    }
    fn oid(&self) -> i32 {
        types::oid_of(self.field().data_type())
    }
    fn length(&self) -> i32 {
        let oid = self.oid();
        TYPES.iter().find(|known| known.oid == oid).map_or(-1, |known| known.length.into())
    }
}

fn all_attributes(objects: &Objects) -> Vec<Attribute> {
    let columns = |relation: Relation| {
        (0..relation.schema.fields().len()).map(move |index| Attribute { relation: relation.clone(), index })
    };
    objects.relations().into_iter().flat_map(columns).collect()
}

fn attributes(objects: &Objects) -> Result<RecordBatch, ArrowError> {
    let rows = all_attributes(objects);
    BatchOf::new(&rows)
        .whole("attrelid", |row| Some(row.relation.oid))
        .text("attname", |row| Some(row.field().name().as_str()))
        .whole("atttypid", |row| Some(row.oid()))
        .whole("attstattarget", |_| Some(-1))
        .whole("attlen", |row| Some(row.length()))
        .whole("attnum", |row| Some(row.index as i32 + 1))
        .whole("attndims", |_| Some(0))
        .whole("attcacheoff", |_| Some(-1))
        .whole("atttypmod", |_| Some(-1))
        .truth("attbyval", |_| false)
        .text("attalign", |_| Some("i"))
        .text("attstorage", |_| Some("p"))
        .text("attcompression", |_| Some(""))
        .truth("attnotnull", |row| !row.field().is_nullable())
        .truth("atthasdef", |_| false)
        .truth("atthasmissing", |_| false)
        .text("attidentity", |_| Some(""))
        .text("attgenerated", |_| Some(""))
        .truth("attisdropped", |_| false)
        .truth("attislocal", |_| true)
        .whole("attinhcount", |_| Some(0))
        .whole("attcollation", |_| Some(0))
        .no_texts("attacl")
        .no_texts("attoptions")
        .no_texts("attfdwoptions")
        .text("attmissingval", |_| None::<&str>)
        .finish()
}

struct TypeRow {
    oid: i32,
    name: String,
    length: i16,
    category: &'static str,
    element: i32,
    array: i32,
}

fn types(_: &Objects) -> Result<RecordBatch, ArrowError> {
    let plain = TYPES.iter().map(|known| TypeRow {
        oid: known.oid,
        name: known.name.to_owned(),
        length: known.length,
        category: known.category,
        element: 0,
        array: known.array_oid,
    });
    let arrays = TYPES.iter().map(|known| TypeRow {
        oid: known.array_oid,
        name: format!("_{}", known.name),
        length: -1,
        category: "A",
        element: known.oid,
        array: 0,
    });
    let rows: Vec<TypeRow> = plain.chain(arrays).collect();
    BatchOf::new(&rows)
        .whole("oid", |row| Some(row.oid))
        .text("typname", |row| Some(row.name.as_str()))
        .whole("typnamespace", |_| Some(PG_CATALOG_OID))
        .whole("typowner", |_| Some(OWNER_OID))
        .whole("typlen", |row| Some(row.length.into()))
        .truth("typbyval", |row| row.length > 0 && row.length <= 8)
        .text("typtype", |_| Some("b"))
        .text("typcategory", |row| Some(row.category))
        .truth("typispreferred", |_| false)
        .truth("typisdefined", |_| true)
        .text("typdelim", |_| Some(","))
        .whole("typrelid", |_| Some(0))
        .whole("typelem", |row| Some(row.element))
        .whole("typarray", |row| Some(row.array))
        .text("typinput", |row| Some(if row.element == 0 { "" } else { "array_in" }))
        .text("typoutput", |row| Some(if row.element == 0 { "" } else { "array_out" }))
        .text("typreceive", |row| Some(if row.element == 0 { "" } else { "array_recv" }))
        .text("typsend", |row| Some(if row.element == 0 { "" } else { "array_send" }))
        .truth("typnotnull", |_| false)
        .whole("typbasetype", |_| Some(0))
        .whole("typtypmod", |_| Some(-1))
        .whole("typndims", |_| Some(0))
        .whole("typcollation", |_| Some(0))
        .text("typdefault", |_| None::<&str>)
        .finish()
}

struct Description {
    object: i32,
    class: i32,
    column: i32,
    text: &'static str,
}

fn descriptions(objects: &Objects) -> Result<RecordBatch, ArrowError> {
    let mut rows = Vec::new();
    for routine in objects.routines() {
        rows.push(Description { object: routine.oid, class: PG_PROC_OID, column: 0, text: routine.function.formula });
    }
    for relation in objects.relations() {
        let of_columns = 1..=relation.schema.fields().len() as i32;
        let texts = of_columns.map(|number| (number, relation.column_comment(number)));
        let texts = std::iter::once((0, relation.comment())).chain(texts);
        rows.extend(texts.filter_map(|(column, text)| {
            Some(Description { object: relation.oid, class: PG_CLASS_OID, column, text: text? })
        }));
    }
    BatchOf::new(&rows)
        .whole("objoid", |row| Some(row.object))
        .whole("classoid", |row| Some(row.class))
        .whole("objsubid", |row| Some(row.column))
        .text("description", |row| Some(row.text))
        .finish()
}

fn access_methods(_: &Objects) -> Result<RecordBatch, ArrowError> {
    BatchOf::new(&[()])
        .whole("oid", |()| Some(ACCESS_METHOD_OID))
        .text("amname", |()| Some(ACCESS_METHOD))
        .text("amhandler", |()| Some("-"))
        .text("amtype", |()| Some("t"))
        .finish()
}

fn databases(_: &Objects) -> Result<RecordBatch, ArrowError> {
    BatchOf::new(&[()])
        .whole("oid", |()| Some(DATABASE_OID))
        .text("datname", |()| Some(DATABASE))
        .whole("datdba", |()| Some(OWNER_OID))
        .whole("encoding", |()| Some(6)) // UTF8
        .text("datlocprovider", |()| Some("c"))
        .truth("datistemplate", |()| false)
        .truth("datallowconn", |()| true)
        .whole("datconnlimit", |()| Some(-1))
        .whole("dattablespace", |()| Some(TABLESPACE_OID))
        .truth("dathasloginevt", |()| false)
        .whole("datfrozenxid", |()| Some(0))
        .whole("datminmxid", |()| Some(0))
        .text("datcollate", |()| Some("C"))
        .text("datctype", |()| Some("C"))
        .text("daticulocale", |()| None::<&str>)
        .no_texts("datacl")
        .finish()
}

fn tablespaces(_: &Objects) -> Result<RecordBatch, ArrowError> {
    BatchOf::new(&[()])
        .whole("oid", |()| Some(TABLESPACE_OID))
        .text("spcname", |()| Some("pg_default"))
        .whole("spcowner", |()| Some(OWNER_OID))
        .no_texts("spcacl")
        .no_texts("spcoptions")
        .finish()
}

/// Functions of ours. Types of arguments are not listed, as some take several: `pg_get_function_arguments` tells names.
fn routines(objects: &Objects) -> Result<RecordBatch, ArrowError> {
    let rows = objects.routines();
    BatchOf::new(&rows)
        .whole("oid", |row| Some(row.oid))
        .text("proname", |row| Some(row.function.name))
        .whole("pronamespace", |_| Some(PUBLIC_OID))
        .whole("proowner", |_| Some(OWNER_OID))
        .whole("prolang", |_| Some(0))
        .number("procost", |_| Some(1.0))
        .number("prorows", |_| Some(0.0))
        .whole("provariadic", |_| Some(0))
        .text("prosupport", |_| Some("-"))
        .text("prokind", |row| Some(row.kind()))
        .truth("prosecdef", |_| false)
        .truth("proleakproof", |_| false)
        .truth("proisstrict", |_| false)
        .truth("proretset", |_| false)
        .text("provolatile", |_| Some("i"))
        .text("proparallel", |_| Some("s"))
        .whole("pronargs", |_| Some(0))
        .whole("pronargdefaults", |_| Some(0))
        .whole("prorettype", |row| Some(row.result_oid()))
        .text("proargtypes", |_| Some(""))
        .no_texts("proallargtypes")
        .no_texts("proargmodes")
        .no_texts("proargnames")
        .text("proargdefaults", |_| None::<&str>)
        .text("prosrc", |row| Some(row.function.name))
        .text("probin", |_| None::<&str>)
        .no_texts("proconfig")
        .no_texts("proacl")
        .finish()
}

const SCHEMAS: [&str; 3] = ["information_schema", "pg_catalog", "public"];

fn schemata(_: &Objects) -> Result<RecordBatch, ArrowError> {
    BatchOf::new(&SCHEMAS)
        .text("catalog_name", |_| Some(DATABASE))
        .text("schema_name", |name| Some(*name))
        .text("schema_owner", |_| Some(OWNER))
        .text("default_character_set_name", |_| None::<&str>)
        .text("sql_path", |_| None::<&str>)
        .finish()
}

fn listed_tables(objects: &Objects) -> Result<RecordBatch, ArrowError> {
    let rows = objects.relations();
    BatchOf::new(&rows)
        .text("table_catalog", |_| Some(DATABASE))
        .text("table_schema", |_| Some("public"))
        .text("table_name", |row| Some(row.name.as_str()))
        .text("table_type", |row| Some(if row.is_view { "VIEW" } else { "BASE TABLE" }))
        .text("self_referencing_column_name", |_| None::<&str>)
        .text("is_insertable_into", |_| Some("NO"))
        .text("is_typed", |_| Some("NO"))
        .finish()
}

fn listed_columns(objects: &Objects) -> Result<RecordBatch, ArrowError> {
    let rows = all_attributes(objects);
    BatchOf::new(&rows)
        .text("table_catalog", |_| Some(DATABASE))
        .text("table_schema", |_| Some("public"))
        .text("table_name", |row| Some(row.relation.name.as_str()))
        .text("column_name", |row| Some(row.field().name().as_str()))
        .whole("ordinal_position", |row| Some(row.index as i32 + 1))
        .text("column_default", |_| None::<&str>)
        .text("is_nullable", |row| Some(if row.field().is_nullable() { "YES" } else { "NO" }))
        .text("data_type", |row| match types::sql_name(row.oid()) {
            Some(name) if name.ends_with("[]") => Some("ARRAY".to_owned()),
            name => name,
        })
        .whole("character_maximum_length", |_| None)
        .whole("character_octet_length", |_| None)
        .whole("numeric_precision", |row| types::precision(row.oid()))
        .whole("numeric_precision_radix", |row| types::precision(row.oid()).map(|_| 2))
        .whole("numeric_scale", |row| {
            types::precision(row.oid()).filter(|bits| matches!(bits, 16 | 32 | 64)).map(|_| 0)
        })
        .whole("datetime_precision", |row| types::named("timestamptz").filter(|at| at.oid == row.oid()).map(|_| 6))
        .text("interval_type", |_| None::<&str>)
        .text("collation_name", |_| None::<&str>)
        .text("udt_catalog", |_| Some(DATABASE))
        .text("udt_schema", |_| Some("pg_catalog"))
        .text("udt_name", |row| types::name(row.oid()))
        .text("is_identity", |_| Some("NO"))
        .text("is_generated", |_| Some("NEVER"))
        .text("is_updatable", |_| Some("NO"))
        .finish()
}

fn roles(_: &Objects) -> Result<RecordBatch, ArrowError> {
    BatchOf::new(&[()])
        .whole("oid", |()| Some(OWNER_OID))
        .text("rolname", |()| Some(OWNER))
        .truth("rolsuper", |()| false)
        .truth("rolinherit", |()| true)
        .truth("rolcreaterole", |()| false)
        .truth("rolcreatedb", |()| false)
        .truth("rolcanlogin", |()| true)
        .truth("rolreplication", |()| false)
        .truth("rolbypassrls", |()| false)
        .whole("rolconnlimit", |()| Some(-1))
        .time("rolvaliduntil", |()| None)
        .finish()
}

fn users(_: &Objects) -> Result<RecordBatch, ArrowError> {
    BatchOf::new(&[()])
        .text("usename", |()| Some(OWNER))
        .whole("usesysid", |()| Some(OWNER_OID))
        .truth("usecreatedb", |()| false)
        .truth("usesuper", |()| false)
        .finish()
}

fn tables(objects: &Objects) -> Result<RecordBatch, ArrowError> {
    let rows: Vec<Relation> = objects.relations().into_iter().filter(|relation| !relation.is_view).collect();
    BatchOf::new(&rows)
        .text("schemaname", |_| Some("public"))
        .text("tablename", |row| Some(row.name.as_str()))
        .text("tableowner", |_| Some(OWNER))
        .text("tablespace", |_| None::<&str>)
        .truth("hasindexes", |_| false)
        .truth("hasrules", |_| false)
        .truth("hastriggers", |_| false)
        .truth("rowsecurity", |_| false)
        .finish()
}

fn views(objects: &Objects) -> Result<RecordBatch, ArrowError> {
    let rows: Vec<Relation> = objects.relations().into_iter().filter(|relation| relation.is_view).collect();
    BatchOf::new(&rows)
        .text("schemaname", |_| Some("public"))
        .text("viewname", |row| Some(row.name.as_str()))
        .text("viewowner", |_| Some(OWNER))
        .text("definition", |_| None::<&str>)
        .finish()
}

/// Words of the engine that are not SQL's: clients colour them.
fn keywords(_: &Objects) -> Result<RecordBatch, ArrowError> {
    let rows = ["analyze", "explain", "ilike", "limit", "offset", "qualify"];
    BatchOf::new(&rows)
        .text("word", |word| Some(*word))
        .text("catcode", |_| Some("R"))
        .text("catdesc", |_| Some("reserved"))
        .finish()
}

fn settings(_: &Objects) -> Result<RecordBatch, ArrowError> {
    let rows = [
        ("max_index_keys", "32"),
        ("max_identifier_length", "63"),
        ("server_encoding", "UTF8"),
        ("server_version", "15.8"),
        ("standard_conforming_strings", "on"),
    ];
    BatchOf::new(&rows)
        .text("name", |row| Some(row.0))
        .text("setting", |row| Some(row.1))
        .text("unit", |_| None::<&str>)
        .text("category", |_| Some(""))
        .text("short_desc", |_| Some(""))
        .text("extra_desc", |_| None::<&str>)
        .text("context", |_| Some("internal"))
        .text("vartype", |_| Some("string"))
        .text("source", |_| Some("default"))
        .text("min_val", |_| None::<&str>)
        .text("max_val", |_| None::<&str>)
        .no_texts("enumvals")
        .text("boot_val", |row| Some(row.1))
        .text("reset_val", |row| Some(row.1))
        .text("sourcefile", |_| None::<&str>)
        .whole("sourceline", |_| None)
        .truth("pending_restart", |_| false)
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_columns() {
        let objects = Arc::new(Objects::default());
        for name in FILLED.iter().map(|(name, _)| name).chain(EMPTY.iter().map(|(name, _)| name)) {
            let table = table(name, &objects).unwrap().unwrap();
            assert!(table.schema().fields().len() > 1, "{name}");
        }
    }
}
