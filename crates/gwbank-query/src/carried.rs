//! Values of a query that ride in DataFusion's options: they reach whatever is handed those, each call of a function among it.

/// Makes a type that carries one value; nobody can set it by a statement.
macro_rules! carried_by_options {
    ($name:ident($value:ty), $prefix:literal) => {
        #[derive(Debug, Clone)]
        pub(crate) struct $name(pub(crate) $value);

        impl datafusion::config::ConfigExtension for $name {
            const PREFIX: &'static str = $prefix;
        }

        impl datafusion::config::ExtensionOptions for $name {
            fn as_any(&self) -> &dyn std::any::Any {
                self
            }
            fn as_any_mut(&mut self) -> &mut dyn std::any::Any {
                self
            }
            fn cloned(&self) -> Box<dyn datafusion::config::ExtensionOptions> {
                Box::new(self.clone())
            }
            fn set(&mut self, key: &str, _: &str) -> datafusion::error::Result<()> {
                datafusion::common::config_err!("{key} cannot be set")
            }
            fn entries(&self) -> Vec<datafusion::config::ConfigEntry> {
                Vec::new()
            }
        }
    };
}

pub(crate) use carried_by_options;
