//! The database of the simulation: accounts, and a page that counts the transactions.

use crate::owner::model::PAGE_BYTES;
use crate::sqlite::header::MAGIC;
use std::collections::BTreeMap;

pub(super) const ACCOUNTS: std::ops::RangeInclusive<u32> = 2..=20;
pub(super) const COUNT_PAGE: u32 = 21;
pub(super) const FIRST_BALANCE: u64 = 100;

pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % bound
    }

    pub(super) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

pub(super) fn page_with(value: u64) -> Vec<u8> {
    let mut page = vec![0; PAGE_BYTES];
    page[..8].copy_from_slice(&value.to_le_bytes());
    page
}

pub(super) fn value_of(page: &[u8]) -> u64 {
    u64::from_le_bytes(page[..8].try_into().expect("eight bytes"))
}

pub(super) fn first_state() -> BTreeMap<u32, Vec<u8>> {
    let mut one = vec![0; PAGE_BYTES];
    one[..16].copy_from_slice(MAGIC);
    one[28..32].copy_from_slice(&COUNT_PAGE.to_be_bytes());
    let accounts = ACCOUNTS.map(|account| (account, page_with(FIRST_BALANCE)));
    std::iter::once((1, one)).chain(accounts).chain([(COUNT_PAGE, page_with(0))]).collect()
}

pub(super) fn transfer(pages: &mut BTreeMap<u32, Vec<u8>>, from: u32, to: u32) {
    let taken = value_of(&pages[&from]).min(7);
    let rest = value_of(&pages[&from]) - taken;
    pages.insert(from, page_with(rest));
    let more = value_of(&pages[&to]) + taken;
    pages.insert(to, page_with(more));
}
