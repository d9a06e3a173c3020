//! Signed links to the page of a flag.

use gwbank_model::Timestamp;
use gwbank_notice::render::Links;
use gwbank_notice::{LinkKey, LinkTicket, Notice};

/// Makes links; without the address of this server none.
#[derive(Debug, Clone)]
pub struct LinkMaker {
    pub key: LinkKey,
    /// Where people reach this server, without a slash at its end.
    pub public_url: Option<String>,
    /// A link is good for so long from the message on.
    pub days: u32,
}

impl LinkMaker {
    pub fn links(&self, notice: &Notice, contact_id: &str) -> Links {
        if !notice.is_of_a_flag() {
            return Links::default();
        }
        let page = self.public_url.as_ref().map(|url| {
            let expires_at = notice.at().plus_secs(i64::from(self.days) * 86_400);
            let (flag_id, contact_id) = (notice.text("id").to_owned(), contact_id.to_owned());
            format!("{url}/act/{}", self.key.sign(&LinkTicket { flag_id, contact_id, expires_at }))
        });
        Links { page }
    }

    /// What the link of a request lets its holder do.
    pub fn read(&self, link: &str, now: Timestamp) -> Result<LinkTicket, gwbank_notice::LinkProblem> {
        self.key.read(link, now)
    }
}
