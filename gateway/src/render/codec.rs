//! Blocks of data: as they are, converted where that is switched on, or drawn for people.

use http::header::{self, HeaderName};
use http::{HeaderValue, StatusCode};
use ipfs::Codec;
use ipfs::dag;
use ipfs::trustless::Format;

use super::page::CONTENT_SECURITY_POLICY;
use super::{
    Config, LISTING, Pages, RenderError, Rendered, block, disposition, length, not_modified, plain,
};
use super::{preview, rendered};
use crate::blocks::Reader;
use crate::classify::Content as Ask;
use crate::resolve::{Plan, Shows};
use crate::stream::Content;

/// The codecs of data, and the form of each one's own.
const FORMS: [(Codec, Format); 4] = [
    (Codec::Json, Format::Json),
    (Codec::DagJson, Format::DagJson),
    (Codec::Cbor, Format::Cbor),
    (Codec::DagCbor, Format::DagCbor),
];

/// The form of a codec's own.
fn own_format(codec: Codec) -> Option<Format> {
    FORMS.iter().find(|(known, _)| *known == codec).map(|(_, format)| *format)
}

/// A codec's name for people.
fn name(codec: Codec) -> &'static str {
    match codec {
        Codec::Raw => "raw bytes",
        Codec::DagPb => "dag-pb",
        Codec::Libp2pKey => "a key",
        Codec::Other(_) => "of a codec that is not known here",
        Codec::Json | Codec::DagJson | Codec::Cbor | Codec::DagCbor => {
            own_format(codec).map_or("", Format::word)
        }
    }
}

/// Whether a block is of this form without conversion: dag-json is JSON, and dag-cbor is CBOR.
fn is_of(codec: Codec, format: Format) -> bool {
    let own = own_format(codec);
    own == Some(format)
        || (own == Some(Format::DagJson) && format == Format::Json)
        || (own == Some(Format::DagCbor) && format == Format::Cbor)
}

/// The codec of the block that answers a wish for this form; none when it is a file or a folder
/// that is shown as it is.
pub(super) fn wanted(
    plan: &Plan,
    ask: &Ask,
    format: Format,
    config: &Config,
) -> Result<Option<Codec>, RenderError> {
    let codec = plan.terminal.codec();
    let is_data = matches!(plan.shows, Shows::Block(_)) && own_format(codec).is_some();
    // Much JSON is stored in files, and is wanted as such.
    let is_plain = matches!(format, Format::Json | Format::Cbor);
    if !is_data && (is_plain || ask.page_is_fine) && !matches!(plan.shows, Shows::Block(_)) {
        return Ok(None);
    }
    let can_convert = config.convert_codecs && (is_data || codec == Codec::DagPb);
    if is_of(codec, format) || can_convert {
        return Ok(Some(codec));
    }
    if ask.page_is_fine {
        return Ok(None);
    }
    let cid = plan.terminal;
    Err(RenderError::OtherCodec { cid, codec: name(codec), wanted: format.word() })
}

/// The terminal block in a form that was asked for.
pub(super) async fn response(
    plan: &Plan,
    ask: &Ask,
    reader: &Reader,
    codec: Codec,
    format: Format,
) -> Result<Rendered, RenderError> {
    let etag = plain(&format!("\"{}.{}\"", plan.terminal, format.word()));
    let media = HeaderValue::from_static(format.media_type());
    let mut response = if is_of(codec, format) {
        block::whole(plan, ask, reader, etag, media).await?
    } else {
        if let Some(response) = not_modified(ask, &etag) {
            return Ok(response);
        }
        let block = reader.get(plan.terminal).await?;
        let to = FORMS.iter().find(|(_, known)| *known == format).map_or(codec, |(to, _)| *to);
        let converted = dag::convert(&block, to);
        let bytes = converted.map_err(|source| RenderError::Dag { cid: plan.terminal, source })?;
        block::ranged(ask, bytes.into(), etag, media)?
    };
    named(&mut response, plan, ask, format);
    Ok(response)
}

/// The terminal block in its own form.
pub(super) async fn as_it_is(
    plan: &Plan,
    ask: &Ask,
    reader: &Reader,
    codec: Codec,
) -> Result<Rendered, RenderError> {
    let cid = plan.terminal;
    let Some(format) = own_format(codec) else {
        return Err(RenderError::NotAcceptable { cid, codec: codec.code() });
    };
    response(plan, ask, reader, codec, format).await
}

/// The name under which a block of data is shown or saved.
fn named(response: &mut Rendered, plan: &Plan, ask: &Ask, format: Format) {
    let is_text = matches!(format, Format::Json | Format::DagJson);
    let (extension, save) = if is_text { ("json", false) } else { ("cbor", true) };
    let name = format!("{}.{extension}", plan.terminal);
    let name = ask.filename.as_deref().unwrap_or(&name);
    let value = disposition::of(name, save || ask.download);
    response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
}

/// The terminal block, drawn for people.
pub(super) async fn preview(
    plan: &Plan,
    ask: &Ask,
    reader: &Reader,
    (codec, pages): (Codec, &Pages),
) -> Result<Rendered, RenderError> {
    let cid = plan.terminal;
    if own_format(codec).is_none() {
        return Err(RenderError::NotAcceptable { cid, codec: codec.code() });
    }
    let etag = plain(&format!("\"DagIndex-{}_CID-{cid}\"", pages.drawn()));
    if let Some(mut response) = not_modified(ask, &etag) {
        response.headers_mut().insert(header::CACHE_CONTROL, LISTING);
        return Ok(response);
    }
    let block = reader.get(cid).await?;
    let html = preview::draw(&block, ask, pages.look())?;
    let bytes = html.len() as u64;
    let mut response = rendered(ask, StatusCode::OK, etag, Content::Full(html.into()));
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, LISTING);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(HeaderName::from_static("content-security-policy"), CONTENT_SECURITY_POLICY);
    length(headers, bytes);
    Ok(response)
}
