//! What the gateway specifications ask, claim by claim, of a fleet with content of our own making.
//!
//! Each test is one preset of the public suite and each claim names the section that it comes from.
//! Nothing here is the suite's: two readings of the same text agree or show where it is unclear.

mod archives;
mod car;
mod claims;
mod dag;
mod dnslink;
mod documents;
mod expect;
mod fixtures;
mod names;
mod path;
mod proxy;
mod ranges;
mod records;
mod redirects;
mod sharded;
mod shelf;
mod sites;
mod subdomain;
mod tarball;
mod trustless;
mod world;
