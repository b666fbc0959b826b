//! A site from what is given, whole and looked at.
