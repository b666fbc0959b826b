//! Pages, drawn with hostile words and with the templates of operators.
