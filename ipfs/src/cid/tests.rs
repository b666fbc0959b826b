//! Claims about this room.
