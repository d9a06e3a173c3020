//! Approval is an overlay of reviews over window and archive, and as of any instant.

use std::sync::Arc;

use gwbank_model::{GatewayIndex, Parameter, QcTest, Row, Seq, WellId};
use gwbank_query::Request;
use gwbank_store::{Review, ReviewAction, ReviewId, Reviews, Withdrawal};

use crate::support::{Bench, WELLS, config, hour, run, seq, text_rows};

fn review(id: i64, action: ReviewAction, hours: (i64, i64), seq: Seq) -> Review {
    Review {
        id: ReviewId(id),
        well_id: WellId::new(WELLS[0]).unwrap(),
        parameter: Parameter::DepthToWater,
        from: Some(hour(hours.0)),
        to: Some(hour(hours.1)),
        action,
        amount: None,
        amount_end: None,
        author: "somchai".to_owned(),
        reason: "compared with the tape".to_owned(),
        seq,
        created_at: seq.received_at(),
        readings: 1,
        done_at: Some(seq.received_at()),
        withdrawal: None,
    }
}

/// Whether the readings that were asked for are approved.
async fn approved(bench: &Bench, request: Request) -> Vec<bool> {
    let batches = bench.engine.ask(request).await.unwrap().collect().await.unwrap();
    batches.iter().flat_map(text_rows).map(|approval| approval == "approved").collect()
}

fn of_first_well() -> Request {
    Request::from(
        format!(
            "SELECT approval FROM readings WHERE well_id = '{}' AND parameter = 'depth_to_water' ORDER BY time",
            WELLS[0]
        )
        .as_str(),
    )
}

#[test]
fn reviews_that_hold_are_shown_over_window_and_archive() {
    run(async {
        let mut bench = Bench::new(config(), usize::MAX);
        let rows: Vec<Row> = (0..4).map(|n| bench.row(0, n, 1.0 + n as f64)).chain([bench.row(2, 0, 9.0)]).collect();
        bench.message(rows);
        // Later than the message, in its millisecond.
        let known = seq(bench.messages - 1).nth(9);
        let put = |reviews: Vec<Review>| bench.reviews.send_replace(Arc::new(Reviews::new(reviews)));
        let approval = review(1, ReviewAction::Approve, (0, 2), known);
        put(vec![approval.clone()]);
        assert_eq!(approved(&bench, of_first_well()).await, [true, true, true, false]);
        let days = "SELECT count(*) FILTER (WHERE approval = 'approved') AS approved FROM readings";
        assert_eq!(bench.rows(days).await, ["3"]);

        // What comes later is provisional: a correction, a reading between; what a person writes is not.
        let between = Row { time: hour(0).plus_secs(60), ..bench.row(0, 0, 1.5) };
        let rejected = Row { qc_tests: gwbank_model::QcTests::NONE.with(QcTest::Review), ..bench.row(0, 5, 7.0) };
        let corrected = Row { gateway: GatewayIndex::REVIEW, revision: 1, ..bench.row(0, 3, 5.0) };
        bench.message(vec![bench.row(0, 1, 2.5), between, corrected, rejected]);
        let reviews = vec![
            approval.clone(),
            review(2, ReviewAction::Add, (3, 4), known),
            review(3, ReviewAction::Reject, (5, 6), known),
        ];
        bench.reviews.send_replace(Arc::new(Reviews::new(reviews)));
        let expected = [true, false, false, true, true, true];
        assert_eq!(approved(&bench, of_first_well()).await, expected, "in the window");
        bench.archive_all().await;
        assert_eq!(approved(&bench, of_first_well()).await, expected, "in the archive");

        // As it was known: before the correction the reading was approved, and before the review nothing was.
        let withdrawal = Withdrawal {
            author: "malee".to_owned(),
            reason: "another well".to_owned(),
            seq: bench.newest(),
            at: bench.newest().received_at(),
            done_at: None,
        };
        let withdrawn = Review { withdrawal: Some(withdrawal), ..approval };
        bench.reviews.send_replace(Arc::new(Reviews::new(vec![withdrawn])));
        assert_eq!(approved(&bench, of_first_well()).await, [false; 6], "it was withdrawn");
        let then = Request { as_known_at: Some(known.received_at()), ..of_first_well() };
        assert_eq!(approved(&bench, then).await, [true, true, true, false], "it was not then");
        let reviews_then = Request {
            as_known_at: Some(known.received_at()),
            ..Request::from("SELECT author, withdrawn_by FROM reviews")
        };
        let told = bench.engine.ask(reviews_then).await.unwrap().collect().await.unwrap();
        assert_eq!(told.iter().flat_map(text_rows).collect::<Vec<_>>(), ["somchai|"]);
    });
}
