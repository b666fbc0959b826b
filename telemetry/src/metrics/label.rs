//! Labels: closed enums, and tuples of up to four of them.
//!
//! A tuple is numbered like the digits of a number, so that a combination finds its series by
//! arithmetic.

/// A closed enum that is a metric label; [`label!`](crate::label) declares one.
pub trait Label: Copy + 'static {
    /// The label's name in the exposition.
    const NAME: &'static str;
    /// Every value, in order of `index`.
    const ALL: &'static [Self];

    /// The value's text in the exposition.
    fn text(self) -> &'static str;

    /// What the value says, as its declaration does; nothing where that was not made by `label!`.
    fn meaning(self) -> &'static str {
        ""
    }

    /// The value's place in `ALL`.
    fn index(self) -> usize;
}

/// One label, or a tuple of two to four.
pub trait Labels: Copy + 'static {
    /// How many combinations there are.
    const COUNT: usize;

    /// The combination's place among all.
    fn index(self) -> usize;

    /// The names, in order.
    fn names() -> Vec<&'static str>;

    /// Every combination in order of `index`, with its texts.
    fn all() -> Vec<(Self, Vec<&'static str>)>;
}

impl<A: Label> Labels for A {
    const COUNT: usize = A::ALL.len();

    fn index(self) -> usize {
        Label::index(self)
    }

    fn names() -> Vec<&'static str> {
        vec![A::NAME]
    }

    fn all() -> Vec<(Self, Vec<&'static str>)> {
        A::ALL.iter().map(|a| (*a, vec![a.text()])).collect()
    }
}

macro_rules! tuple {
    ($($label:ident $value:ident),+) => {
        impl<$($label: Label),+> Labels for ($($label,)+) {
            const COUNT: usize = 1 $(* $label::ALL.len())+;

            fn index(self) -> usize {
                let ($($value,)+) = self;
                let index = 0;
                $(let index = index * $label::ALL.len() + $value.index();)+
                index
            }

            fn names() -> Vec<&'static str> {
                vec![$($label::NAME),+]
            }

            fn all() -> Vec<(Self, Vec<&'static str>)> {
                let mut all = Vec::with_capacity(Self::COUNT);
                tuple!(@each all ($($value)+) $($label $value),+);
                all
            }
        }
    };
    (@each $all:ident ($($values:ident)+) $label:ident $value:ident $(, $rest:ident $more:ident)*) => {
        for $value in $label::ALL.iter().copied() {
            tuple!(@each $all ($($values)+) $($rest $more),*);
        }
    };
    (@each $all:ident ($($values:ident)+)) => {
        $all.push((($($values,)+), vec![$($values.text()),+]));
    };
}

tuple!(A a, B b);
tuple!(A a, B b, C c);
tuple!(A a, B b, C c, D d);

/// Declares a closed enum that is a metric label.
///
/// ```
/// telemetry::label! {
///     /// Where the bytes of an answer came from.
///     pub enum Source: "source" {
///         /// Memory.
///         Memory = "memory",
///         /// A node.
///         Node = "node",
///     }
/// }
/// ```
#[macro_export]
macro_rules! label {
    (
        $(#[$doc:meta])*
        $visible:vis enum $name:ident: $label:literal {
            $($(#[doc = $meaning:literal])* $value:ident = $text:literal),+ $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        $visible enum $name {
            $($(#[doc = $meaning])* $value),+
        }

        impl $crate::metrics::Label for $name {
            const NAME: &'static str = $label;
            const ALL: &'static [Self] = &[$(Self::$value),+];

            fn text(self) -> &'static str {
                match self {
                    $(Self::$value => $text),+
                }
            }

            fn meaning(self) -> &'static str {
                match self {
                    $(Self::$value => concat!($($meaning),*).trim()),+
                }
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}
