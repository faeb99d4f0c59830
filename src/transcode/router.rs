//! Finds the method of a REST request.
//!
//! Templates form a tree of path segments. At every segment a literal beats `*`
//! beats `**`, and the search is per verb: a path that a more specific template
//! owns for another verb only is still found under a less specific one. A path
//! that exists for other verbs alone is told from one that does not exist.

use foldhash::HashMap;

use super::json::DEPTH;
use super::schema::{Kind, MessageId, Schema, Shape};
use crate::policy::template::{Segment, Template, Variable};
use crate::policy::{Binding, MethodSpec};

/// The tree of all routes.
#[derive(Debug, Default)]
pub struct Router {
    root: Node,
    routes: Vec<Route>,
}

/// One route of one method.
#[derive(Debug)]
pub struct Route {
    /// The method.
    pub spec: &'static MethodSpec,
    /// The route's own options.
    pub binding: &'static Binding,
    /// Request message.
    pub input: MessageId,
    /// Response message.
    pub output: MessageId,
    /// Custom verb at the end of the path.
    pub custom: Option<String>,
    /// Which segments fill which fields.
    pub variables: Vec<(Variable, FieldPath)>,
}

/// Where a field lies in a request message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPath {
    /// Numbers of the messages it is inside of, outermost first.
    pub parents: Vec<u32>,
    /// The message that declares it.
    pub message: MessageId,
    /// Its position in that message.
    pub at: u16,
}

impl FieldPath {
    /// Looks a dotted path up, by proto or JSON names. It leads through messages
    /// that are there once and have a JSON form of members, no deeper than a body.
    pub fn find(schema: &Schema, message: MessageId, path: &str) -> Option<Self> {
        let mut found = Self {
            parents: Vec::new(),
            message,
            at: 0,
        };
        let mut names = path.split('.').peekable();
        while let Some(name) = names.next() {
            let row = schema.message(found.message);
            found.at = row.position(name, usize::MAX)?;
            if names.peek().is_some() {
                let field = &row.fields[usize::from(found.at)];
                let once = matches!(field.shape, Shape::Implicit | Shape::Optional);
                let Kind::Message(inner) = field.kind else {
                    return None;
                };
                let plain = schema.message(inner).known.is_none();
                if !once || !plain || found.parents.len() + 1 >= DEPTH as usize {
                    return None;
                }
                found.parents.push(field.number);
                found.message = inner;
            }
        }
        Some(found)
    }
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<String, Node>,
    single: Option<Box<Node>>,
    multi: Option<Box<Node>>,
    leaves: Vec<Leaf>,
}

/// Routes that end at a node, for one HTTP verb and one custom verb.
#[derive(Debug)]
struct Leaf {
    verb: &'static str,
    custom: Option<String>,
    routes: Vec<usize>,
}

/// What a path leads to.
#[derive(Debug)]
pub enum Found<'r> {
    /// Routes of the best template, to be told apart by circumstance.
    Routes(Vec<&'r Route>),
    /// The path exists, for these verbs; one of its routes tells whose it is.
    OtherVerbs(Vec<&'static str>, &'r Route),
    /// There is no such path.
    Nothing,
}

impl Router {
    /// Builds the tree. The policy reader has checked that templates parse and
    /// that variables name fields.
    pub fn new(schema: &Schema, methods: &'static [MethodSpec]) -> Self {
        let mut router = Self::default();
        for spec in methods {
            for binding in spec.bindings {
                let template = Template::parse(binding.template);
                let messages = (schema.find(spec.input), schema.find(spec.output));
                if let (Ok(template), (Some(input), Some(output))) = (template, messages) {
                    router.add(schema, spec, binding, &template, input, output);
                }
            }
        }
        router
    }

    fn add(
        &mut self,
        schema: &Schema,
        spec: &'static MethodSpec,
        binding: &'static Binding,
        template: &Template,
        input: MessageId,
        output: MessageId,
    ) {
        let variables = template.variables.iter();
        let variables = variables.filter_map(|variable| {
            let path = FieldPath::find(schema, input, &variable.field)?;
            Some((variable.clone(), path))
        });
        self.routes.push(Route {
            spec,
            binding,
            input,
            output,
            custom: template.verb.clone(),
            variables: variables.collect(),
        });
        let mut node = &mut self.root;
        for segment in &template.segments {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.clone()).or_default(),
                Segment::Single => node.single.get_or_insert_default(),
                Segment::Multi => node.multi.get_or_insert_default(),
            };
        }
        let at = self.routes.len() - 1;
        let same = |leaf: &&mut Leaf| leaf.verb == binding.verb && leaf.custom == template.verb;
        match node.leaves.iter_mut().find(same) {
            Some(leaf) => leaf.routes.push(at),
            None => node.leaves.push(Leaf {
                verb: binding.verb,
                custom: template.verb.clone(),
                routes: vec![at],
            }),
        }
    }

    /// Finds the routes of a verb and an undecoded path.
    pub fn find(&self, verb: &str, path: &str) -> Found<'_> {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let mut search = Search {
            verb,
            others: Vec::new(),
        };
        // A registered custom verb wins; any other `:word` is data.
        let split = segments.last().and_then(|last| last.rsplit_once(':'));
        let mut hit = None;
        if let Some((stem, custom)) = split {
            let mut stemmed = segments.clone();
            if let Some(last) = stemmed.last_mut() {
                *last = stem;
            }
            hit = search.node(&self.root, &stemmed, Some(custom));
        }
        match hit.or_else(|| search.node(&self.root, &segments, None)) {
            Some(leaf) => Found::Routes(leaf.routes.iter().map(|at| &self.routes[*at]).collect()),
            None => match search.others.first().and_then(|leaf| self.owner(leaf)) {
                None => Found::Nothing,
                Some(owner) => {
                    let mut verbs: Vec<_> = search.others.iter().map(|leaf| leaf.verb).collect();
                    verbs.sort_unstable();
                    verbs.dedup();
                    Found::OtherVerbs(verbs, owner)
                }
            },
        }
    }
}

impl Router {
    /// Whose a path is: the method that shares none of its circumstances.
    fn owner(&self, leaf: &Leaf) -> Option<&Route> {
        let mut routes = leaf.routes.iter().map(|at| &self.routes[*at]);
        let owner = routes.clone().find(|route| route.spec.when.is_empty());
        owner.or_else(|| routes.next())
    }
}

struct Search<'v, 'n> {
    verb: &'v str,
    /// Leaves of the path that are for other verbs.
    others: Vec<&'n Leaf>,
}

impl<'n> Search<'_, 'n> {
    fn node(
        &mut self,
        node: &'n Node,
        segments: &[&str],
        custom: Option<&str>,
    ) -> Option<&'n Leaf> {
        let Some((first, rest)) = segments.split_first() else {
            let multi = node.multi.as_deref();
            return self
                .leaf(node, custom)
                .or_else(|| self.leaf(multi?, custom));
        };
        if let Some(next) = node.literals.get(*first)
            && let Some(leaf) = self.node(next, rest, custom)
        {
            return Some(leaf);
        }
        if let Some(next) = &node.single
            && !first.is_empty()
            && let Some(leaf) = self.node(next, rest, custom)
        {
            return Some(leaf);
        }
        self.leaf(node.multi.as_deref()?, custom)
    }

    fn leaf(&mut self, node: &'n Node, custom: Option<&str>) -> Option<&'n Leaf> {
        let mut hit = None;
        for leaf in &node.leaves {
            if leaf.custom.as_deref() != custom {
                continue;
            }
            if leaf.verb == self.verb {
                hit = Some(leaf);
            } else {
                self.others.push(leaf);
            }
        }
        hit
    }
}
