# R's RPostgreSQL: lists, queries, whole tables, fetching in pieces, an error. Prints a JSON object of steps and outcomes.
suppressPackageStartupMessages(library(RPostgreSQL))

arguments <- commandArgs(trailingOnly = TRUE)
seen <- character()
check <- function(step, outcome) {
  outcome <- tryCatch(isTRUE(outcome), error = function(error) conditionMessage(error))
  text <- if (is.logical(outcome)) tolower(outcome) else paste0('"', gsub('["\\\\\n]', " ", outcome), '"')
  seen <<- c(seen, paste0('"', step, '":', text))
}

connection <- dbConnect(PostgreSQL(), host = arguments[1], port = as.integer(arguments[2]), user = "gwbank", dbname = "gwbank")
check("list tables", all(c("readings", "wells") %in% dbListTables(connection)))
check("exists", dbExistsTable(connection, "readings") && !dbExistsTable(connection, "nothing"))
check("list fields", all(c("well_id", "time", "value") %in% dbListFields(connection, "readings")))
check("types", {
  row <- dbGetQuery(connection, "SELECT 1 AS whole, 2.5::double AS number, 'บ่อ' AS text, true AS truth, NULL::double AS nothing, DATE '2026-01-02' AS day")
  row$whole == 1 && row$number == 2.5 && row$text == "\u0e1a\u0e48\u0e2d" && row$truth && is.na(row$nothing) && row$day == as.Date("2026-01-02")
})
check("times", {
  row <- dbGetQuery(connection, "SELECT time, value FROM readings WHERE well_id = 'W1' ORDER BY time LIMIT 1")
  inherits(row$time, "POSIXct") && row$value == 0
})
check("aggregate", dbGetQuery(connection, "SELECT count(*) AS n FROM readings")$n == 1000)
check("read table", nrow(dbReadTable(connection, "wells")) == 2)
check("parameters", {
  found <- dbGetQuery(connection, "SELECT count(*) AS n FROM readings WHERE well_id = $1 AND value < $2", c("W1", 5))
  found$n == 250
})
check("pieces", {
  answer <- dbSendQuery(connection, "SELECT time, value FROM readings ORDER BY time, well_id")
  sizes <- integer()
  while (!dbHasCompleted(answer)) sizes <- c(sizes, nrow(fetch(answer, n = 300)))
  dbClearResult(answer)
  sum(sizes) == 1000 && max(sizes) == 300
})
check("error", inherits(suppressWarnings(try(dbGetQuery(connection, "SELECT nothing FROM wells"), silent = TRUE)), "try-error") ||
  is.null(suppressWarnings(dbGetQuery(connection, "SELECT nothing FROM wells"))))
check("goes on", dbGetQuery(connection, "SELECT 1 AS one")$one == 1)
check("read only", {
  suppressWarnings(try(dbGetQuery(connection, "DELETE FROM wells"), silent = TRUE))
  dbGetQuery(connection, "SELECT count(*) AS n FROM wells")$n == 2
})
invisible(dbDisconnect(connection))
cat("{", paste(seen, collapse = ","), "}", sep = "")
