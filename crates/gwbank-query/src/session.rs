//! A session a query: the shared tables and functions, the query's own read cut, memory and temporary files.

use std::sync::Arc;

use datafusion::catalog::{
    CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider, TableProvider,
};
use datafusion::error::DataFusionError;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionState;
use datafusion::execution::{SessionStateBuilder, TaskContext};
use datafusion::logical_expr::TableType;
use datafusion::optimizer::Optimizer;
use datafusion::prelude::SessionConfig;

use crate::config::QueryConfig;
use crate::functions::{self, FUNCTIONS};
use crate::gapfill::{self, FillGaps};
use crate::guard::{Guard, GuardOperators, GuardOption, guard_functions, rules_with_checkpoints};
use crate::known_at::{self, AS_KNOWN_AT};
use crate::latest::LatestOfSeries;
use crate::memory::{MemoryForAll, QueryMemory};
use crate::pg_catalog::{self, Objects, PgCatalog};
use crate::readings::ReadCut;
use crate::request::{ConnectionFacts, FactsOption};
use crate::set_comparison::{self, NameSets};
use crate::spill::{SpillForAll, disk_of_query};
use crate::summaries::Summarize;
use crate::unnest_keys::rules_without_false_keys;
use crate::utc::UtcWithoutCalendar;

const CATALOG: &str = "gwbank";
const SCHEMA: &str = "public";

/// Memory and temporary files of all queries.
#[derive(Debug)]
pub(crate) struct ForAll {
    pub(crate) memory: Arc<MemoryForAll>,
    pub(crate) spill: Arc<SpillForAll>,
}

impl ForAll {
    pub(crate) fn new(config: &QueryConfig) -> Self {
        Self { memory: Arc::new(MemoryForAll::new(config)), spill: Arc::new(SpillForAll::new(config)) }
    }
}

/// What every query's session starts from.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    state: SessionState,
    tables: Arc<MemorySchemaProvider>,
    objects: Arc<Objects>,
}

impl Template {
    pub(crate) fn new(
        config: &QueryConfig,
        for_all: &ForAll,
        archive_summarizes: bool,
    ) -> Result<Self, DataFusionError> {
        let tables = Arc::new(MemorySchemaProvider::new());
        let catalog = MemoryCatalogProvider::new();
        catalog.register_schema(SCHEMA, tables.clone())?;
        let objects = Arc::new(Objects::default());
        catalog.register_schema(pg_catalog::SCHEMA, Arc::new(PgCatalog(objects.clone())))?;
        let session = SessionConfig::new()
            .with_target_partitions(config.threads)
            .with_information_schema(true)
            .with_create_default_catalog_and_schema(false)
            .with_default_catalog_and_schema(CATALOG, SCHEMA)
            // What a sort keeps back for merging: too little and it fails where it could have spilled.
            .set_usize(
                "datafusion.execution.sort_spill_reservation_bytes",
                (config.memory_bytes_per_query / 4).min(32 << 20),
            )
            // What a join learns of its wells: as many as a region has reach the scan as a list.
            .set_usize("datafusion.optimizer.hash_join_inlist_pushdown_max_distinct_values", 4096)
            // Of what the names lie in, which is as large as a whole batch.
            .set_usize("datafusion.optimizer.hash_join_inlist_pushdown_max_size", 2 << 20)
            // `now()` is an instant, as the times of readings are.
            .set_str("datafusion.execution.time_zone", "+00:00")
            // For errors that say where.
            .set_bool("datafusion.sql_parser.collect_spans", true);
        let mut builder = SessionStateBuilder::new()
            .with_config(session)
            .with_runtime_env(Arc::new(runtime_env(config, for_all)?))
            .with_default_features()
            // No format and no factory: nothing that could open a file is known by any name.
            .with_file_formats(Vec::new())
            .with_table_factories(std::collections::HashMap::new())
            // After the usual rules, among them the one that makes types agree.
            .with_analyzer_rule(Arc::new(GuardOperators))
            .with_query_planner(gapfill::planner());
        let mut rules = rules_without_false_keys(Optimizer::new().rules);
        let sets = rules.iter().position(|rule| rule.name() == set_comparison::BEFORE).unwrap_or(0);
        rules.insert(sets, Arc::new(NameSets));
        // Once constants are folded, and while WHERE is where it was written.
        let folded = rules.iter().position(|rule| rule.name() == "simplify_expressions").map_or(0, |place| place + 1);
        rules.insert(folded, Arc::new(FillGaps { time_bucket: functions::time_bucket() }));
        rules.push(Arc::new(UtcWithoutCalendar));
        rules.push(Arc::new(LatestOfSeries));
        rules.push(Arc::new(Summarize { archive_summarizes }));
        builder.optimizer().get_or_insert_default().rules = rules_with_checkpoints(&rules);
        let mut state = builder.build();
        functions::register(&mut state)?;
        pg_catalog::register_functions(&mut state, &objects)?;
        guard_functions(&mut state)?;
        state.register_udtf(AS_KNOWN_AT.name, known_at::table_function(&tables));
        state.catalog_list().register_catalog(CATALOG.to_owned(), Arc::new(catalog));
        Ok(Self { state, tables, objects })
    }

    pub(crate) fn objects(&self) -> &Arc<Objects> {
        &self.objects
    }

    pub(crate) fn state(&self) -> &SessionState {
        &self.state
    }

    pub(crate) fn add_table(&self, name: &str, table: Arc<dyn TableProvider>) -> Result<(), DataFusionError> {
        self.tables.register_table(name.to_owned(), table)?;
        Ok(())
    }

    pub(crate) fn table_names(&self) -> Vec<String> {
        let mut names = self.tables.table_names();
        names.sort();
        names
    }

    /// Tells the catalogs of the tables and functions: to be called when all are there.
    pub(crate) async fn fill_catalogs(&self) -> Result<(), DataFusionError> {
        let mut found = Vec::new();
        for name in self.table_names() {
            if let Some(table) = self.tables.table(&name).await? {
                found.push((name, table.table_type() == TableType::View, table.schema()));
            }
        }
        let mut functions = Vec::new();
        for function in FUNCTIONS {
            let example = self.state.create_logical_plan(function.example).await;
            let result = example.ok().and_then(|plan| functions::result_of(&plan, function.name));
            functions.push((function, result));
        }
        self.objects.fill(found, functions);
        Ok(())
    }

    /// A copy: building a session anew would register every function again, for each query.
    pub(crate) fn session(
        &self,
        cut: Arc<ReadCut>,
        guard: &Arc<Guard>,
        connection: Option<&Arc<ConnectionFacts>>,
    ) -> SessionState {
        let mut session = self.state.config().clone().with_extension(cut);
        session.options_mut().extensions.insert(GuardOption(guard.clone()));
        if let Some(connection) = connection {
            session.options_mut().extensions.insert(FactsOption(connection.clone()));
        }
        let mut state = self.state.clone();
        *state.config_mut() = session;
        // What `now()` is during this query; without it `now()` cannot be evaluated at all.
        state.mark_start_execution();
        state
    }
}

/// What a query runs with: its session, and memory and temporary files of its own.
pub(crate) fn task(
    config: &QueryConfig,
    for_all: &ForAll,
    session: &SessionState,
) -> Result<Arc<TaskContext>, DataFusionError> {
    Ok(Arc::new(TaskContext::from(session).with_runtime(Arc::new(runtime_env(config, for_all)?))))
}

/// Memory and temporary files of one query.
fn runtime_env(config: &QueryConfig, for_all: &ForAll) -> Result<RuntimeEnv, DataFusionError> {
    let disk = disk_of_query(config, &for_all.spill)?;
    let memory = QueryMemory::new(config, for_all.memory.clone());
    let env = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(memory)).with_disk_manager_builder(disk).build()?;
    // The default registry knows the local file system; nothing of ours needs it.
    env.deregister_object_store(ObjectStoreUrl::local_filesystem().as_ref())?;
    Ok(env)
}
