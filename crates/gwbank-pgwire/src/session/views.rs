//! Views of one connection.
//!
//! # Rules
//! 1. A view sees those that were there when it was made; one that takes its place stands where it stood.
//! 2. What another view is made of is not dropped from under it.

use std::sync::Arc;

use crate::door::View;
use crate::error::PgError;
use crate::sql::names_word;

const VIEWS_MAX: usize = 200;
const BYTES_MAX: usize = 1 << 20;

/// Copies share the views.
#[derive(Debug, Clone, Default)]
pub(super) struct Views(Arc<Vec<View>>);

impl Views {
    pub(super) fn all(&self) -> Arc<Vec<View>> {
        self.0.clone()
    }

    pub(super) fn put(&mut self, view: View, replace: bool) -> Result<(), PgError> {
        let place = self.0.iter().position(|known| known.name == view.name);
        if place.is_some() && !replace {
            let message = format!("relation \"{}\" already exists", view.name);
            return Err(PgError::new("42P07", message).hint("CREATE OR REPLACE VIEW takes its place"));
        }
        let bytes: usize = self.0.iter().map(|known| known.sql.len()).sum();
        if self.0.len() >= VIEWS_MAX || bytes + view.sql.len() > BYTES_MAX {
            let message = format!("a connection keeps at most {VIEWS_MAX} views of 1 MiB in all");
            return Err(PgError::new("53400", message).hint("DROP VIEW what is not needed"));
        }
        let views = Arc::make_mut(&mut self.0);
        match place {
            Some(place) => views[place] = view,
            None => views.push(view),
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, names: &[String], if_exists: bool, cascade: bool) -> Result<Vec<PgError>, PgError> {
        let (mut left, mut notes) = (self.0.as_ref().clone(), Vec::new());
        for name in names {
            let missing = format!("view \"{name}\" does not exist");
            let Some(place) = left.iter().position(|view| view.name == *name) else {
                if if_exists || self.0.iter().any(|view| view.name == *name) {
                    notes.push(PgError::notice("00000", format!("{missing}, skipping")));
                    continue;
                }
                return Err(PgError::new("42P01", missing));
            };
            left.remove(place);
            let mut gone = vec![name.clone()];
            while let Some(below) = gone.pop() {
                let made_of = |view: &View| names_word(&view.sql, &below) && !names.contains(&view.name);
                while let Some(place) = left.iter().skip(place).position(made_of).map(|after| place + after) {
                    if !cascade {
                        let message = format!("cannot drop view {below} because other objects depend on it");
                        let hint = format!("view {} is made of it: DROP VIEW … CASCADE drops both", left[place].name);
                        return Err(PgError::new("2BP01", message).hint(hint));
                    }
                    gone.push(left.remove(place).name);
                }
            }
        }
        self.0 = Arc::new(left);
        Ok(notes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn views() -> Views {
        let mut views = Views::default();
        for (name, sql) in [("a", "SELECT 1"), ("b", "SELECT * FROM a"), ("c", "SELECT * FROM B"), ("d", "SELECT 'a'")]
        {
            let view = View { name: name.to_owned(), columns: Vec::new(), sql: sql.to_owned() };
            views.put(view, false).unwrap();
        }
        views
    }

    fn names(views: &Views) -> String {
        views.0.iter().map(|view| view.name.as_str()).collect()
    }

    #[test]
    fn what_others_are_made_of_stays_or_takes_them_along() {
        let mut views = views();
        let drop = |views: &mut Views, names: &[&str], if_exists, cascade| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            views.remove(&names, if_exists, cascade).map(|notes| notes.len()).map_err(|error| error.code)
        };
        assert_eq!(drop(&mut views, &["a"], false, false), Err("2BP01"));
        assert_eq!(drop(&mut views, &["x"], false, false), Err("42P01"));
        assert_eq!(drop(&mut views, &["x"], true, false), Ok(1));
        assert_eq!(names(&views), "abcd");
        assert_eq!(drop(&mut views, &["a"], false, true), Ok(0));
        assert_eq!(names(&views), "d");
        let mut again = self::views();
        assert_eq!(drop(&mut again, &["c", "b", "a"], false, false), Ok(0));
        assert_eq!(names(&again), "d");
    }

    #[test]
    fn one_takes_the_place_of_another_only_when_it_is_told_to() {
        let mut views = views();
        let view = View { name: "a".to_owned(), columns: Vec::new(), sql: "SELECT 2".to_owned() };
        assert_eq!(views.put(view.clone(), false).unwrap_err().code, "42P07");
        views.put(view, true).unwrap();
        assert_eq!((names(&views).as_str(), views.0[0].sql.as_str()), ("abcd", "SELECT 2"));
    }
}
